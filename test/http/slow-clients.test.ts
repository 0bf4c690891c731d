import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { closed } from '../closed.ts'
import { connectedStatus, createFakeConsentFlow, LINK, REDIRECT_PATH } from './fake-consent-flow.ts'
import { ask, startConsentServer, stopServers } from './running-server.ts'

const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await stopServers()
})

/** Connects, sends the first bytes, and reads; `closed` resolves to all that came and when it ended. */
async function slowClient(port: number, bytes: string) {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  const since = performance.now()
  let received = ''
  socket.setEncoding('utf8').on('data', chunk => {
    received += chunk
  })
  const cut = closed(socket).then(() => ({ received, afterMs: performance.now() - since }))
  if (bytes !== '') socket.write(bytes)
  return { socket, cut }
}

/** The long default of the other deadline shows which one cuts; Node wants the one for headers not above it. */
const quickHeaders = { headersTimeoutMs: 200, checkIntervalMs: 50 }
const quickRequest = { headersTimeoutMs: 400, requestTimeoutMs: 400, checkIntervalMs: 50 }

describe('a slow client', () => {
  it.each([
    ['sends nothing', '', 200],
    ['sends half a header', `GET /connect/${LINK} HTTP/1.1\r\nhost: x\r\nx-slow: `, 200],
    [
      'sends half a body',
      `POST /connect/${LINK} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\na=`,
      400,
    ],
  ])('that %s is cut soon after its deadline', async (_, bytes, deadlineMs) => {
    const { port } = await startConsentServer({
      flow: createFakeConsentFlow(),
      limits: bytes.startsWith('POST') ? quickRequest : quickHeaders,
    })
    const { cut } = await slowClient(port, bytes)
    const { received, afterMs } = await cut
    expect(afterMs).toBeGreaterThan(deadlineMs - 60)
    expect(afterMs).toBeLessThan(HTTP_LIMITS.headersTimeoutMs)
    if (bytes !== '') expect(received).toMatch(/^HTTP\/1\.1 408 .*referrer-policy: no-referrer/s)
  })

  it('that goes on sending is cut as well', async () => {
    const { port } = await startConsentServer({ flow: createFakeConsentFlow(), limits: quickHeaders })
    const { socket, cut } = await slowClient(port, 'GET / HTTP/1.1\r\nx: ')
    const drip = setInterval(() => socket.writable && socket.write('x'), 20)
    expect((await cut).afterMs).toBeLessThan(HTTP_LIMITS.headersTimeoutMs)
    clearInterval(drip)
  })
})

describe('keepNewestConnections()', () => {
  it('never closes a connection whose request is being answered', async () => {
    const flow = createFakeConsentFlow()
    const exchange = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    flow.answers.finish = async () => {
      started.resolve()
      await exchange.promise
      return { kind: 'connected', status: connectedStatus() }
    }
    const { port } = await startConsentServer({ flow, limits: { connectionsMax: 2 } })
    const answer = ask(port, `${REDIRECT_PATH}?code=c`)
    await started.promise
    const oldest = await slowClient(port, '')
    const newer = await slowClient(port, '')
    await oldest.cut
    expect(newer.socket.closed).toBe(false)
    exchange.resolve()
    expect((await answer).text).toContain('Connected')
  })

  it('counts a request whose body is still on its way as unanswered', async () => {
    const { port } = await startConsentServer({
      flow: createFakeConsentFlow(),
      limits: { connectionsMax: 1 },
    })
    const form =
      'content-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\nexpect: 100-continue'
    const older = await slowClient(port, `POST /connect/${LINK} HTTP/1.1\r\nhost: x\r\n${form}\r\n\r\n`)
    await once(older.socket, 'data')
    const newer = await slowClient(port, '')
    expect((await older.cut).received).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    expect(newer.socket.closed).toBe(false)
  })

  it('closes the newest if every other one is being answered', async () => {
    const flow = createFakeConsentFlow()
    const exchange = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    flow.answers.finish = async () => {
      started.resolve()
      await exchange.promise
      return { kind: 'connected', status: connectedStatus() }
    }
    const { port } = await startConsentServer({ flow, limits: { connectionsMax: 1 } })
    const answer = ask(port, `${REDIRECT_PATH}?code=c`)
    await started.promise
    await (await slowClient(port, '')).cut
    exchange.resolve()
    expect((await answer).status).toBe(200)
  })
})
