import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { isIPv4 } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HttpRequest, Reach } from '../../src/egress/http.ts'
import { ForbiddenAddressError, type Resolve } from '../../src/egress/reach.ts'
import { createHttp } from '../../src/egress/undici-http.ts'
import { Secret } from '../../src/secret.ts'
import { selfSigned } from '../http/self-signed.ts'

/** Every address that this process tried to connect to, as the operating system was asked. */
const attempts: string[] = []
const closers: (() => unknown)[] = []

function watch(message: unknown): void {
  const { socket } = message as { socket: Socket }
  socket.on('connectionAttempt', (address: string) => void attempts.push(address))
}

beforeEach(() => subscribe('net.client.socket', watch))
afterEach(async () => {
  unsubscribe('net.client.socket', watch)
  attempts.splice(0)
  await Promise.all(closers.splice(0).map(close => close()))
})

const request = (url: string): HttpRequest => ({
  method: 'POST',
  url: new Secret(url),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new Secret('refresh_token=canary'),
})

/** A resolver that answers with one list of addresses after the other, the last one again and again. */
function resolver(...answers: string[][]): Resolve & { readonly asked: string[] } {
  const asked: string[] = []
  const resolve: Resolve = async host => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(host)
    return addresses.map(address => ({ address, family: isIPv4(address) ? 4 : 6 }))
  }
  return Object.assign(resolve, { asked })
}

function http(resolve?: Resolve) {
  const client = createHttp({ connectTimeoutMs: 2_000, hardTimeoutMs: 2_000, resolve })
  closers.push(client.close)
  return client
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise(resolve => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

/** A server on 127.0.0.1 that keeps what it was asked. */
async function serve(answer: { status?: number; location?: string } = {}) {
  const seen: IncomingMessage[] = []
  const { status = 200, location } = answer
  const server = createServer((incoming, response) => {
    seen.push(incoming)
    response.writeHead(status, location === undefined ? {} : { location }).end('{}')
  })
  return { seen, port: await listen(server) }
}

const failure = (sent: Promise<unknown>) =>
  sent.then(
    () => undefined,
    (error: unknown) => error,
  )

/** Hosts of URLs, as attackers write them: this machine, its network, a cloud's metadata. */
const LITERALS = `
  127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.0.0.1.
  127。0。0。1 ①②⑦.⓪.⓪.① %31%32%37.0.0.1 0 0.0.0.0 0.1.2.3
  169.254.169.254 169.254.170.2 2852039166 0xa9fea9fe 0xA9.0xFE.0xA9.0xFE 0251.0376.0251.0376 169.254.43518
  10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1 100.127.255.255
  100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
  240.0.0.1 255.255.255.255
  [::1] [::] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:169.254.169.254]
  [::ffff:8.8.8.8] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1] [2002:7f00:1::]
  [2002:a9fe:a9fe::1] [2001::1] [2001:db8::1] [fe80::1] [febf::1] [fec0::1] [fc00::1] [fd00:ec2::254] [fdff::1]
  [ff02::1] [3fff::1] [5f00::1] [4000::1] [100::1]
`
  .trim()
  .split(/\s+/)

/** Addresses to which a resolver may lead a name. */
const RESOLVED = [
  ...['127.0.0.1', '0.0.0.0', '10.1.2.3', '172.20.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
  ...['224.0.0.251', '255.255.255.255', '::1', '::', '::ffff:10.0.0.1', '64:ff9b::a00:1', 'fe80::1%lo'],
  ...['fd12:3456::1', '2002:a00:1::1', 'ff05::2'],
]

describe('send() without allow_networks', () => {
  it('has a corpus of some size', () => {
    expect(LITERALS.length + RESOLVED.length).toBeGreaterThanOrEqual(80)
    expect(new Set(LITERALS).size).toBe(LITERALS.length)
  })

  it.each(LITERALS)('does not connect to https://%s/', async host => {
    expect(await failure(http().send(request(`https://${host}/token`)))).toBeInstanceOf(ForbiddenAddressError)
    expect(attempts).toEqual([])
  })

  it.each(RESOLVED)('does not connect to a name that leads to %s', async address => {
    const resolve = resolver([address])
    const error = await failure(http(resolve).send(request('https://as.example/token')))
    expect(error).toBeInstanceOf(ForbiddenAddressError)
    expect(error).toMatchObject({
      failure: 'not_sent',
      message: expect.stringMatching(
        /^refused to connect to as\.example leads to .* \(.*\): if the server is really there, name it in allow_networks of the provider, or of the caller's jwt$/,
      ),
    })
    expect({ asked: resolve.asked, attempts }).toEqual({ asked: ['as.example'], attempts: [] })
  })

  it.each([
    ['a public and a private address', ['192.168.0.1', '8.8.8.8']],
    ['the private one last', ['2606:4700::1111', '10.0.0.1']],
  ])('does not connect to a name with %s', async (_, addresses) => {
    const error = await failure(http(resolver(addresses)).send(request('https://as.example/token')))
    expect(error).toBeInstanceOf(ForbiddenAddressError)
    expect(attempts).toEqual([])
  })

  it.each(['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', '127.0.0.1.nip.example'])(
    'does not connect to https://%s, which leads here',
    async host => {
      const sent = http(resolver(['127.0.0.1'])).send(request(`https://${host}/token`))
      expect(await failure(sent)).toBeInstanceOf(ForbiddenAddressError)
      expect(attempts).toEqual([])
    },
  )

  it('quotes neither path nor body', async () => {
    const error = await failure(http().send(request('https://10.0.0.1/canary?canary')))
    expect(String(error)).not.toContain('canary')
  })

  it('says that nothing was sent if a name does not exist', async () => {
    const resolve: Resolve = () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))
    const sent = http(resolve).send(request('https://as.example/token'))
    await expect(sent).rejects.toMatchObject({
      failure: 'not_sent',
      message: expect.stringMatching('ENOTFOUND'),
    })
  })
})

describe('send() to an origin on this machine', () => {
  it('connects if the configuration names it, and to no other port', async () => {
    const { seen, port } = await serve()
    const reach: Reach = { loopbackOrigins: [`http://127.0.0.1:${port}`] }
    const client = http()
    expect((await client.send(request(`http://127.0.0.1:${port}/token`), { reach })).status).toBe(200)
    const other = client.send(request(`http://127.0.0.1:${port + 1}/token`), { reach })
    expect(await failure(other)).toBeInstanceOf(ForbiddenAddressError)
    // Shows that the watch above sees what there is.
    expect({ count: seen.length, attempts }).toEqual({ count: 1, attempts: ['127.0.0.1'] })
  })

  it.each([['8.8.8.8'], ['10.0.0.1']])('does not take localhost for %s', async address => {
    const reach: Reach = { loopbackOrigins: ['http://localhost:1'], networks: ['10.0.0.0/8'] }
    const sent = http(resolver([address])).send(request('http://localhost:1/token'), { reach })
    expect(await failure(sent)).toBeInstanceOf(ForbiddenAddressError)
    expect(attempts).toEqual([])
  })
})

describe('send() with allow_networks', () => {
  const reach: Reach = { networks: ['127.0.0.1'] }

  it('connects to the address that was judged, by the name: a second answer leads nowhere', async () => {
    const { cert = '', key } = selfSigned('as.example') ?? {}
    const seen: { sni: unknown; host: unknown }[] = []
    const server = createTlsServer({ cert, key: key?.expose() }, (incoming, response) => {
      seen.push({ sni: (incoming.socket as TLSSocket).servername, host: incoming.headers.host })
      response.end('{}')
    })
    const port = await listen(server)
    const resolve = resolver(['127.0.0.1'], ['127.0.0.2'])
    const client = http(resolve)
    const send = () => client.send(request(`https://as.example:${port}/token`), { ca: cert, reach })
    expect((await send()).status).toBe(200)
    expect(seen).toEqual([{ sni: 'as.example', host: `as.example:${port}` }])
    expect({ asked: resolve.asked.length, attempts }).toEqual({ asked: 1, attempts: ['127.0.0.1'] })

    expect(await failure(send())).toBeInstanceOf(ForbiddenAddressError)
    expect({ asked: resolve.asked.length, attempts }).toEqual({ asked: 2, attempts: ['127.0.0.1'] })
  })

  it.each([301, 302, 303, 307, 308])('follows no redirect with status %i', async status => {
    const target = await serve()
    const source = await serve({ status, location: `http://127.0.0.1:${target.port}/` })
    const answer = await http().send(request(`http://127.0.0.1:${source.port}/token`), { reach })
    expect({ status: answer.status, hits: target.seen.length }).toEqual({ status, hits: 0 })
  })

  it('names an address outside of them', async () => {
    const sent = http().send(request('https://127.0.0.2/token'), { reach })
    await expect(sent).rejects.toThrow('refused to connect to 127.0.0.2 (loopback)')
  })

  it.each([
    ['an IPv4 address in its mapped form', '[::ffff:127.0.0.1]', ['127.0.0.0/8']],
    ['what is behind a NAT64 translator', '[64:ff9b::10.0.0.1]', ['64:ff9b::/96']],
  ])('does not take them to allow %s', async (_, host, networks) => {
    const sent = http().send(request(`https://${host}/token`), { reach: { networks } })
    expect(await failure(sent)).toBeInstanceOf(ForbiddenAddressError)
    expect(attempts).toEqual([])
  })
})
