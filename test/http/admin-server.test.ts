import { afterEach, describe, expect, it } from 'vitest'
import { createAdminServer } from '../../src/http/admin-server.ts'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { ask, createRecordingLog, start, stopServers } from './running-server.ts'

afterEach(stopServers)

describe('createAdminServer()', () => {
  it('says what stands in the way of readiness, and when nothing does any more', async () => {
    let reasons = ['the store is not open', 'recovery is running']
    const server = createAdminServer({ unreadiness: () => reasons, log: createRecordingLog() })
    const { port } = await start(server)
    expect(await ask(port, '/readyz')).toMatchObject({
      status: 503,
      text: 'the store is not open\nrecovery is running\n',
    })
    reasons = []
    expect(await ask(port, '/readyz')).toMatchObject({ status: 200, text: 'ready\n' })
  })

  it('is alive while it is not ready', async () => {
    const server = createAdminServer({ unreadiness: () => ['starting'], log: createRecordingLog() })
    const { port } = await start(server)
    expect(await ask(port, '/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
  })

  it('names what is here, and nothing else is', async () => {
    const server = createAdminServer({ unreadiness: () => [], log: createRecordingLog() })
    const { port } = await start(server)
    const index = await ask(port, '/')
    for (const path of index.text.match(/^\/\w+/gm) ?? []) expect((await ask(port, path)).status).toBe(200)
    expect(index.text).toMatch(/\/healthz .*\/readyz /s)
    expect((await ask(port, '/metrics')).status).toBe(404)
    expect(await ask(port, '/healthz', { method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    })
    expect(await ask(port, '/healthz', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  })

  it('does not limit how often it may be probed', async () => {
    const limits = { ...HTTP_LIMITS, requestsPerMinuteMax: 1 }
    const server = createAdminServer({ unreadiness: () => [], log: createRecordingLog(), limits })
    const { port } = await start(server)
    for (let i = 0; i < 3; i++) expect((await ask(port, '/healthz')).status).toBe(200)
  })
})
