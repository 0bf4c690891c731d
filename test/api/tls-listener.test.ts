import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { credentials, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { closed } from '../closed.ts'
import { selfSigned } from '../http/self-signed.ts'
import { skippedWithout } from '../skipped.ts'
import { TOKEN } from './fake-broker.ts'
import { call, failureOf, type RunningServer, startServer } from './running-server.ts'

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

const certificate = selfSigned()

const missing = skippedWithout('openssl', certificate !== undefined)

describe.skipIf(certificate === undefined)(`a TLS listener${missing}`, () => {
  const tls = certificate
  const ca = Buffer.from(certificate?.cert ?? '')

  it('serves gRPC', async () => {
    const { port } = await start({ listener: { tls } })
    const client = new TokenBrokerServiceClient(`localhost:${port}`, credentials.createSsl(ca))
    cleanups.push(() => client.close())
    expect((await call(client, client.getAccessToken, REQUEST)).token?.version).toBe(TOKEN.version)
  })

  it.each([
    ['1.3', 'TLSv1.3', 'TLSv1.3'],
    ['1.2', 'TLSv1.2', 'TLSv1.2'],
    ['1.1', 'TLSv1.1', undefined],
  ] as const)('and TLS %s', async (_, version, expected) => {
    const { port } = await start({ listener: { tls } })
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      ALPNProtocols: ['h2'],
      ...options,
    })
    cleanups.push(() => socket.destroy())
    const agreed = await once(socket, 'secureConnect').then(
      () => socket.getProtocol(),
      () => undefined,
    )
    expect(agreed).toBe(expected)
  })

  it('closes connections of clients that did not ask for HTTP/2', async () => {
    const { port } = await start({ listener: { tls } })
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca })
    await closed(socket.resume())
    expect(socket.authorized).toBe(true)
  })

  it('drops a connection whose handshake ends after the server began to stop', async () => {
    const { server, port } = await start({ listener: { tls } })
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const late = connectTls({ socket, servername: 'localhost', ca, ALPNProtocols: ['h2'] })
    late.on('error', () => {}).resume()
    await Promise.all([once(late, 'close'), server.drain()])
  })

  it('is not served in plain text', async () => {
    const { port, tokens } = await start({ listener: { tls } })
    expect(port).toBeGreaterThan(0)
    expect((await failureOf(call(tokens, tokens.getAccessToken, REQUEST))).code).toBe(status.UNAVAILABLE)
  })
})
