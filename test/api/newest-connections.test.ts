import { EventEmitter, once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Server, Socket } from 'node:net'
import { type ChannelCredentials, credentials, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { CONNECTIONS_MAX, FIRST_CALL_MS_MAX } from '../../src/api/limits.ts'
import { createNewestConnections, type Endpoints } from '../../src/api/newest-connections.ts'
import type { Listener } from '../../src/config/config.ts'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createFakeClock } from '../broker/fake-clock.ts'
import { selfSigned } from '../http/self-signed.ts'
import { skippedWithout } from '../skipped.ts'
import { TOKEN } from './fake-broker.ts'
import { createHealthClient } from './health-client.ts'
import { bearer, call, OPERATOR_TOKEN, startServer } from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function start(listener?: Partial<Listener>) {
  const running = await startServer({ listener })
  cleanups.push(running.stop)
  const { port, clock } = running

  /** Connects, and says nothing. */
  async function stranger(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    cleanups.push(() => socket.destroy())
    socket.on('error', () => {}).resume()
    await once(socket, 'connect')
    return socket
  }

  return {
    ...running,
    stranger,
    async strangers(count: number): Promise<Socket[]> {
      const sockets: Socket[] = []
      while (sockets.length < count) sockets.push(await stranger())
      return sockets
    },
    /** A client with a connection of its own. */
    client(trust: ChannelCredentials = credentials.createInsecure()) {
      const options = { 'grpc.use_local_subchannel_pool': 1 }
      const client = new TokenBrokerServiceClient(`localhost:${port}`, trust, options)
      cleanups.push(() => client.close())
      return () => call(client, client.getAccessToken, REQUEST, bearer(OPERATOR_TOKEN), Date.now() + 5_000)
    },
    /** How many connections have not made their first call. */
    waiting: () => clock.pending().filter(ms => ms === FIRST_CALL_MS_MAX).length,
  }
}

const answered = { token: { version: TOKEN.version } }
const isOpen = (socket: Socket) => !socket.closed

describe('strangers that hold all connections', () => {
  it('keep no caller out: the oldest of them makes room', async () => {
    const { strangers, client } = await start()
    const sockets = await strangers(CONNECTIONS_MAX)
    expect(await client()()).toMatchObject(answered)
    await expect.poll(() => sockets.filter(isOpen)).toHaveLength(CONNECTIONS_MAX - 1)
    expect(sockets[0]?.closed).toBe(true)
  })

  it('nor cut one that is there already, however many of them come', async () => {
    const { strangers, client, clock, waiting } = await start()
    const ask = client()
    await ask()
    const sockets = await strangers(CONNECTIONS_MAX + 1)
    await expect.poll(() => sockets.filter(isOpen)).toHaveLength(CONNECTIONS_MAX - 1)
    await expect.poll(waiting).toBe(CONNECTIONS_MAX - 1)
    expect(await ask()).toMatchObject(answered)
    clock.fire(FIRST_CALL_MS_MAX)
    await expect.poll(() => sockets.filter(isOpen)).toEqual([])
    expect(await ask()).toMatchObject(answered)
  })

  it('cannot buy their stay by asking for health', async () => {
    const { port, strangers, waiting } = await start()
    const health = createHealthClient(port)
    cleanups.push(() => health.close())
    await new Promise(resolve => health.check({ service: '' }, resolve))
    const sockets = await strangers(CONNECTIONS_MAX)
    // It was the oldest; nobody else had to go.
    await expect.poll(waiting).toBe(CONNECTIONS_MAX)
    expect(sockets.filter(isOpen)).toHaveLength(CONNECTIONS_MAX)
  })
})

describe('connections that are full of callers', () => {
  it('take no more, and take one again when one has ended', async () => {
    const connections = createNewestConnections(createFakeClock())
    const server = new EventEmitter() as Server
    connections.bound(server)
    let port = 0
    const open = () => {
      const ends: Endpoints = { remotePort: ++port }
      const socket = Object.defineProperty(new Socket(), 'remotePort', { value: port })
      server.emit('connection', socket)
      return { socket, ends }
    }
    const callers = Array.from({ length: CONNECTIONS_MAX }, () => {
      const { socket, ends } = open()
      connections.noteCall(ends, 'probe')
      connections.noteCall(ends, 'caller')
      connections.noteCall(ends, 'probe')
      return socket
    })
    expect(open().socket.destroyed).toBe(true)
    expect(callers.some(socket => socket.destroyed)).toBe(false)
    callers[0]?.destroy()
    await new Promise(setImmediate)
    expect(open().socket.destroyed).toBe(false)
  })
})

describe('a connection without a call', () => {
  it('is cut in time, and one whose caller is unknown too', async () => {
    const { port, stranger, clock, waiting } = await start()
    const silent = await stranger()
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    cleanups.push(() => session.destroy())
    const stream = session.request({
      ':method': 'POST',
      ':path': '/tokenbroker.v1.TokenBrokerService/GetAccessToken',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: 'Bearer nobody',
    })
    const [headers] = await once(stream, 'response')
    expect(headers['grpc-status']).toBe(String(status.UNAUTHENTICATED))
    expect(waiting()).toBe(2)
    const closed = [once(silent, 'close'), once(session, 'close')]
    clock.fire(FIRST_CALL_MS_MAX)
    await Promise.all(closed)
  })

  it('of a known caller stays, and so does that of a probe', async () => {
    const { port, client, waiting } = await start()
    await client()()
    expect(waiting()).toBe(0)
    const health = createHealthClient(port)
    cleanups.push(() => health.close())
    await new Promise(resolve => health.check({ service: '' }, resolve))
    expect(waiting()).toBe(0)
  })
})

const tls = selfSigned()
const missing = skippedWithout('openssl', tls !== undefined)

describe.skipIf(tls === undefined)(`with TLS${missing}`, () => {
  it('strangers keep no caller out before the handshake, and none is cut after its first call', async () => {
    const { strangers, client, clock, waiting } = await start({ tls })
    const sockets = await strangers(CONNECTIONS_MAX)
    const ask = client(credentials.createSsl(Buffer.from(tls?.cert ?? '')))
    expect(await ask()).toMatchObject(answered)
    await expect.poll(() => sockets.filter(isOpen)).toHaveLength(CONNECTIONS_MAX - 1)
    await expect.poll(waiting).toBe(CONNECTIONS_MAX - 1)
    clock.fire(FIRST_CALL_MS_MAX)
    await expect.poll(() => sockets.filter(isOpen)).toEqual([])
    expect(await ask()).toMatchObject(answered)
  })
})
