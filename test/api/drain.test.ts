import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { DRAIN_MS_MAX } from '../../src/api/limits.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { GetAccessTokenRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { TOKEN } from './fake-broker.ts'
import { createHealthClient } from './health-client.ts'
import { call, decodeFailure, failureOf, type RunningServer, startServer } from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function start(...parameters: Parameters<typeof startServer>): Promise<RunningServer> {
  const running = await startServer(...parameters)
  cleanups.push(running.stop)
  return running
}

function watchHealth(port: number) {
  const client = createHealthClient(port)
  cleanups.push(() => client.close())
  return client.watch({ service: '' })
}

/** Starts a server with one call in flight. */
async function startWithCallInFlight() {
  const begun = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<typeof TOKEN>()
  const getAccessToken: Broker['getAccessToken'] = () => {
    begun.resolve()
    return finish.promise
  }
  const running = await start({ broker: { getAccessToken } })
  running.server.setServing(true)
  const inFlight = call(running.tokens, running.tokens.getAccessToken, REQUEST)
  await begun.promise
  return { ...running, inFlight, finish }
}

describe('drain()', () => {
  it('first tells watchers of health, and ends their streams', async () => {
    const { server, port } = await start()
    server.setServing(true)
    const watch = watchHealth(port)
    const seen: string[] = []
    const serving = new Promise<void>(resolve =>
      watch.on('data', ({ status }) => {
        seen.push(status)
        resolve()
      }),
    )
    const ended = once(watch, 'error')
    await serving
    const drained = server.drain()
    const [error] = await ended
    await drained
    expect(seen).toEqual(['SERVING', 'NOT_SERVING'])
    expect(decodeFailure(error)).toMatchObject({
      code: status.UNAVAILABLE,
      reason: 'BROKER_UNAVAILABLE',
      retryMs: 1_000,
    })
  })

  it('lets calls in flight finish', async () => {
    const { server, inFlight, finish, clock } = await startWithCallInFlight()
    let drained = false
    const draining = server.drain().then(() => {
      drained = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(drained).toBe(false)
    finish.resolve(TOKEN)
    expect((await inFlight).token?.version).toBe(TOKEN.version)
    await draining
    expect(clock.pending()).toEqual([])
  })

  it('cuts calls in flight at its limit', async () => {
    const { server, inFlight, clock } = await startWithCallInFlight()
    const failure = failureOf(inFlight)
    const draining = server.drain()
    clock.fire(DRAIN_MS_MAX)
    await draining
    expect((await failure).code).toBe(status.UNAVAILABLE)
  })

  it('takes no new connections', async () => {
    const { server, port, inFlight, finish } = await startWithCallInFlight()
    const draining = server.drain()
    const [error] = await once(connect(port, '127.0.0.1'), 'error')
    expect(error.code).toBe('ECONNREFUSED')
    finish.resolve(TOKEN)
    await Promise.all([inFlight, draining])
  })

  it('takes no new calls on open connections', async () => {
    const { server, tokens, inFlight, finish } = await startWithCallInFlight()
    const draining = server.drain()
    const refused = failureOf(
      call(tokens, tokens.getStatus, { provider: 'pinterest', account: '', verify: false }),
    )
    expect((await refused).code).toBe(status.UNAVAILABLE)
    finish.resolve(TOKEN)
    await Promise.all([inFlight, draining])
  })

  it('of a server without calls ends at once, and twice', async () => {
    const { server } = await start()
    await server.drain()
    await server.drain()
  })
})

describe('close()', () => {
  it('cuts every call and aborts it', async () => {
    const aborted = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const running = await start({
      broker: {
        getAccessToken: ({ signal }) => {
          signal?.addEventListener('abort', () => aborted.resolve())
          begun.resolve()
          return new Promise(() => {})
        },
      },
    })
    const failure = failureOf(call(running.tokens, running.tokens.getAccessToken, REQUEST))
    await begun.promise
    running.server.close()
    expect((await failure).code).toBe(status.UNAVAILABLE)
    await aborted.promise
  })

  it('cuts idle connections', async () => {
    const { server, port } = await start()
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    await once(session, 'remoteSettings')
    const closed = once(session, 'close')
    server.close()
    await closed
  })
})
