import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { type ChannelCredentials, credentials, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createTlsServer } from '../../src/api/tls-server.ts'
import type { CallerConfig, TlsMaterial } from '../../src/config/config.ts'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { Secret } from '../../src/secret.ts'
import { tempFolder } from '../temp-folder.ts'
import { type Authority, createAuthority, type Pair, type Wish } from './authority.ts'
import { TOKEN } from './fake-broker.ts'
import {
  bearer,
  call,
  callerNamed,
  createRecordingLog,
  failureOf,
  type RunningServer,
  startServer,
} from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })
const RULE = { providers: ['*'], accounts: ['*'], methods: ['GetAccessToken'] }
const SPIFFE = 'spiffe://example.org/billing'
const BILLING: CallerConfig = { name: 'billing', proof: { kind: 'mtls', identity: SPIFFE }, allow: [RULE] }
const REPORTS: CallerConfig = {
  name: 'reports',
  proof: { kind: 'mtls', identity: 'dns:reports.example.org' },
  allow: [RULE],
}
const CALLERS = [BILLING, REPORTS, callerNamed('service', RULE)]

const folder = tempFolder('mtls')
const trusted = createAuthority(folder, 'trusted')
const foreign = createAuthority(folder, 'foreign')
const server: Pair | undefined = trusted?.issue({ names: ['DNS:localhost'], usage: 'serverAuth' })

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function start(
  tls: Partial<TlsMaterial> = {},
  ports: NonNullable<Parameters<typeof startServer>[0]>['ports'] = {},
): Promise<RunningServer> {
  if (trusted === undefined || server === undefined) throw new Error('no openssl')
  const listener = { tls: { ...server, clientCa: trusted.cert, ...tls } }
  const running = await startServer({ callers: CALLERS, listener, ports })
  cleanups.push(running.stop)
  return running
}

function clientOf({ port }: RunningServer, pair?: Pair, ca = trusted?.cert): TokenBrokerServiceClient {
  const own = pair && ([Buffer.from(pair.key.expose()), Buffer.from(pair.cert)] as const)
  const secured: ChannelCredentials = own
    ? credentials.createSsl(Buffer.from(ca ?? ''), ...own)
    : credentials.createSsl(Buffer.from(ca ?? ''))
  const client = new TokenBrokerServiceClient(`localhost:${port}`, secured)
  cleanups.push(() => client.close())
  return client
}

/** Calls without any bearer. */
async function ask(running: RunningServer, pair?: Pair, metadata = noBearer()): Promise<string | undefined> {
  const client = clientOf(running, pair)
  return (await call(client, client.getAccessToken, REQUEST, metadata)).token?.version
}

const noBearer = () => {
  const metadata = bearer('')
  metadata.remove('authorization')
  return metadata
}

function issue(wish: Wish, authority: Authority | undefined = trusted): Pair {
  if (authority === undefined) throw new Error('no openssl')
  return authority.issue(wish)
}

describe.skipIf(trusted === undefined)('a listener that asks for client certificates', () => {
  it.each([
    ['one SPIFFE ID', { names: [`URI:${SPIFFE}`] }],
    [
      'one SPIFFE ID beside DNS names',
      { names: [`URI:${SPIFFE}`, 'DNS:a.example.org', 'DNS:b.example.org'] },
    ],
    ['one DNS name', { names: ['DNS:Reports.example.org', 'IP:127.0.0.1'] }],
    ['one SPIFFE ID and a misleading common name', { names: [`URI:${SPIFFE}`], commonName: 'operator' }],
  ])('knows a caller by %s', async (_, wish) => {
    expect(await ask(await start(), issue(wish))).toBe(TOKEN.version)
  })

  const notTrusted = 'no trusted client certificate'
  it.each<readonly [string, Wish, Authority | undefined, string]>([
    ['of another authority', { names: [`URI:${SPIFFE}`] }, foreign, notTrusted],
    ['that has expired', { names: [`URI:${SPIFFE}`], from: -2, to: -1 }, trusted, notTrusted],
    ['that is not valid yet', { names: [`URI:${SPIFFE}`], from: 0.5, to: 1 }, trusted, notTrusted],
    ['for servers only', { names: [`URI:${SPIFFE}`], usage: 'serverAuth' }, trusted, notTrusted],
    [
      'of an authority itself',
      { names: [`URI:${SPIFFE}`], isAuthority: true },
      trusted,
      'certificate authority',
    ],
    [
      'with a common name only',
      { commonName: 'reports.example.org' },
      trusted,
      'neither a URI nor a DNS name',
    ],
    [
      'with two SPIFFE IDs',
      { names: [`URI:${SPIFFE}`, 'URI:spiffe://example.org/b'] },
      trusted,
      'several URIs',
    ],
    [
      'with a SPIFFE ID and a URL',
      { names: ['URI:https://a.example', `URI:${SPIFFE}`] },
      trusted,
      'several URIs',
    ],
    [
      'with a URL',
      { names: ['URI:https://reports.example.org', 'DNS:reports.example.org'] },
      trusted,
      'no SPIFFE ID',
    ],
    ['of a whole trust domain', { names: ['URI:spiffe://example.org'] }, trusted, 'no SPIFFE ID'],
    [
      'with two DNS names',
      { names: ['DNS:reports.example.org', 'DNS:b.example.org'] },
      trusted,
      'several DNS names',
    ],
    [
      'with a pattern',
      { names: ['DNS:*.example.org'] },
      trusted,
      'no caller is configured as dns:*.example.org',
    ],
    [
      'with an e-mail address',
      { names: ['email:reports@example.org'] },
      trusted,
      'neither a URI nor a DNS name',
    ],
    [
      'of a stranger',
      { names: ['URI:spiffe://example.org/billing2'] },
      trusted,
      'no caller is configured as',
    ],
    [
      'of another case',
      { names: ['URI:spiffe://example.org/Billing'] },
      trusted,
      'no caller is configured as',
    ],
    [
      'whose DNS name looks like two names',
      { names: [`DNS:"x, URI:${SPIFFE}"`] },
      trusted,
      'no caller is configured as dns:x, uri:',
    ],
  ])('knows nobody by a certificate %s', async (_, wish, authority, why) => {
    const running = await start()
    const pair = issue(wish, authority)
    const failure = await failureOf(ask(running, pair))
    expect(failure).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'CALLER_UNAUTHENTICATED' })
    expect(failure.message).toContain(why)
    // It is not in the way of a token.
    expect(await ask(running, pair, bearer('service'))).toBe(TOKEN.version)
  })

  it('knows nobody by a certificate that signs itself, or by none', async () => {
    const running = await start()
    const own = {
      cert: foreign?.cert ?? '',
      key: new Secret(readFileSync(join(folder, 'foreign-ca.key'), 'utf8')),
    }
    expect((await failureOf(ask(running, own))).message).toContain(notTrusted)
    expect((await failureOf(ask(running))).message).toContain(notTrusted)
    expect(
      running.log.lines.filter(({ message }) => message === 'A client certificate is not trusted'),
    ).toHaveLength(1)
  })

  it('judges a call with a token by the token alone', async () => {
    const running = await start()
    const pair = issue({ names: [`URI:${SPIFFE}`] })
    expect((await failureOf(ask(running, pair, bearer('nobody')))).reason).toBe('CALLER_UNAUTHENTICATED')
    expect(await ask(running, undefined, bearer('service'))).toBe(TOKEN.version)
  })

  it('knows the caller of every call of a connection, having read its certificate once', async () => {
    const running = await start()
    const client = clientOf(running, issue({ names: [`URI:${SPIFFE}`] }))
    for (let count = 0; count < 20; count++) {
      expect((await call(client, client.getAccessToken, REQUEST, noBearer())).token?.version).toBe(
        TOKEN.version,
      )
    }
  })

  it('believes a certificate no longer than it lasts, also on a connection that lasts longer', async () => {
    const running = await start()
    const client = clientOf(running, issue({ names: [`URI:${SPIFFE}`] }))
    await call(client, client.getAccessToken, REQUEST, noBearer())
    Object.assign(running.clock, { now: () => Date.now() + 2 * 86_400_000 })
    expect((await failureOf(call(client, client.getAccessToken, REQUEST, noBearer()))).message).toContain(
      'has expired',
    )
  })

  it.each([
    ['TLSv1.3', true],
    ['TLSv1.2', false],
  ] as const)('with %s', async (version, expected) => {
    const { port } = await start()
    const socket = connectTls({
      ...{ port, host: '127.0.0.1', servername: 'localhost', ca: trusted?.cert, ALPNProtocols: ['h2'] },
      ...{ minVersion: version, maxVersion: version },
    })
    cleanups.push(() => socket.destroy())
    expect(
      await once(socket, 'secureConnect').then(
        () => true,
        () => false,
      ),
    ).toBe(expected)
  })

  it('resumes no session: each connection presents its certificate', async () => {
    const { port } = await start()
    const { cert, key } = issue({ names: [`URI:${SPIFFE}`] })
    const open = async (session?: Buffer): Promise<TLSSocket> => {
      const own = { cert, key: key.expose(), ca: trusted?.cert, session }
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        ALPNProtocols: ['h2'],
        ...own,
      })
      cleanups.push(() => socket.destroy())
      await once(socket, 'secureConnect')
      return socket
    }
    const first = await open()
    const sessions: Buffer[] = []
    first.on('session', session => sessions.push(session)).resume()
    // Tickets come with the first bytes of the server, its settings.
    await once(first, 'data')
    const second = await open(sessions.at(-1) ?? first.getSession())
    expect(second.isSessionReused()).toBe(false)
  })
})

describe.skipIf(trusted === undefined)('certificates that are replaced', () => {
  const files = {
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    clientCa: join(folder, 'clients.pem'),
  }

  function write(pair: Pair | undefined, clientCa = trusted?.cert): void {
    writeFileSync(files.cert, pair?.cert ?? '')
    writeFileSync(files.key, pair?.key.expose() ?? '')
    writeFileSync(files.clientCa, clientCa ?? '')
  }

  async function startWatching(): Promise<RunningServer> {
    write(server)
    return start({ files }, { readFile: path => readFile(path), times: { pollMs: 20, quietMs: 10 } })
  }

  const said = ({ log }: RunningServer, level: 'info' | 'error') =>
    log.lines.filter(line => line.level === level)

  /** The serial number of the certificate that a new connection is shown. */
  async function serialOf({ port }: RunningServer): Promise<string> {
    const options = { port, host: '127.0.0.1', servername: 'localhost', ALPNProtocols: ['h2'] }
    const socket = connectTls({ ...options, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }

  it('leave the oldest version of TLS as it was', async () => {
    const running = await startWatching()
    write(issue({ names: ['DNS:localhost'], usage: 'serverAuth' }))
    await expect.poll(() => said(running, 'info')).toHaveLength(1)
    const socket = connectTls({
      ...{ port: running.port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false },
      ...{ maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] },
    })
    cleanups.push(() => socket.destroy())
    await expect(once(socket, 'secureConnect')).rejects.toThrow()
  })

  it('are shown to new connections, while old ones and their calls go on', async () => {
    const running = await startWatching()
    const client = clientOf(running, issue({ names: [`URI:${SPIFFE}`] }))
    await call(client, client.getAccessToken, REQUEST, noBearer())
    const before = await serialOf(running)
    write(issue({ names: ['DNS:localhost'], usage: 'serverAuth' }))
    await vi.waitFor(async () => expect(await serialOf(running)).not.toBe(before), { timeout: 5_000 })
    expect((await call(client, client.getAccessToken, REQUEST, noBearer())).token?.version).toBe(
      TOKEN.version,
    )
    expect(said(running, 'error')).toEqual([])
  })

  it('are taken without a complaint by whoever has read one old file and one new', async () => {
    let old: Buffer | undefined
    let reads = 0
    const readStale = async (path: string) => {
      const stale = path === files.cert ? old : undefined
      if (stale !== undefined) old = undefined
      const content = stale ?? (await readFile(path))
      reads++
      return content
    }
    write(server)
    const running = await start({ files }, { readFile: readStale, times: { pollMs: 20, quietMs: 10 } })
    const before = await serialOf(running)
    // The watch has begun with a look of its own: one that is under way would be another that meets old and new.
    await vi.waitFor(() => expect(reads).toBe(Object.keys(files).length), { timeout: 5_000 })
    old = await readFile(files.cert)
    write(issue({ names: ['DNS:localhost'], usage: 'serverAuth' }))
    await vi.waitFor(async () => expect(await serialOf(running)).not.toBe(before), { timeout: 5_000 })
    expect(old).toBeUndefined()
    expect(said(running, 'error')).toEqual([])
  })

  it.each<readonly [string, () => void, string]>([
    ['a damaged certificate', () => writeFileSync(files.cert, 'x'), 'cert expected a PEM file'],
    [
      'a key of another certificate',
      () => writeFileSync(files.key, issue({}).key.expose()),
      'is not the key of',
    ],
    ['no authorities', () => writeFileSync(files.clientCa, ''), 'client_ca expected certificates'],
    ['no file', () => rmSync(files.key), 'does not exist'],
  ])('stay in use while there is %s, and the log says so', async (_, damage, why) => {
    const running = await startWatching()
    const before = await serialOf(running)
    damage()
    await vi.waitFor(() => expect(said(running, 'error')).not.toEqual([]), { timeout: 5_000 })
    expect(said(running, 'error')[0]?.fields.why).toContain(why)
    expect(await serialOf(running)).toBe(before)
    expect(await ask(running, issue({ names: [`URI:${SPIFFE}`] }))).toBe(TOKEN.version)
    write(issue({ names: ['DNS:localhost'], usage: 'serverAuth' }))
    await vi.waitFor(async () => expect(await serialOf(running)).not.toBe(before), { timeout: 5_000 })
  })

  it('are taken as soon as they can be read, although their files have not changed again', async () => {
    let isReadable = true
    const readIfReadable = (path: string) =>
      isReadable ? readFile(path) : Promise.reject(Object.assign(new Error('too many'), { code: 'EMFILE' }))
    write(server)
    const times = { pollMs: 20, quietMs: 10, retryMs: 20 }
    const running = await start({ files }, { readFile: readIfReadable, times })
    const before = await serialOf(running)
    isReadable = false
    write(issue({ names: ['DNS:localhost'], usage: 'serverAuth' }))
    await vi.waitFor(() => expect(said(running, 'error')).not.toEqual([]), { timeout: 5_000 })
    isReadable = true
    await vi.waitFor(async () => expect(await serialOf(running)).not.toBe(before), { timeout: 5_000 })
    expect(said(running, 'error')).toHaveLength(1)
  })

  it('cut a handshake that began while an authority was believed that is gone', async () => {
    const accepted: Socket[] = []
    const old = { ...(server as Pair), clientCa: trusted?.cert }
    const listening = createTlsServer(old, socket => void accepted.push(socket), createRecordingLog())
    cleanups.push(() => listening.server.close())
    await once(listening.server.listen(0, '127.0.0.1'), 'listening')
    const { port } = listening.server.address() as AddressInfo
    const raw = connectTcp(port, '127.0.0.1')
    cleanups.push(() => raw.destroy())
    await Promise.all([once(raw, 'connect'), once(listening.server, 'connection')])
    listening.replace({ ...old, clientCa: foreign?.cert })
    const { cert, key } = issue({ names: [`URI:${SPIFFE}`] })
    const socket = connectTls({
      socket: raw,
      ca: trusted?.cert,
      servername: 'localhost',
      cert,
      key: key.expose(),
    })
    // Its error comes first.
    await once(socket, 'close').catch(() => {})
    expect(accepted).toEqual([])
  })

  it('let clients of a new authority in, and cut those of one that is gone', async () => {
    const running = await startWatching()
    const theirs = issue({ names: [`URI:${SPIFFE}`] }, foreign)
    const old = clientOf(running, issue({ names: [`URI:${SPIFFE}`] }))
    await call(old, old.getAccessToken, REQUEST, noBearer())
    write(server, `${trusted?.cert}${foreign?.cert}`)
    await vi.waitFor(() => expect(said(running, 'info')).toHaveLength(1), { timeout: 5_000 })
    expect(await ask(running, theirs)).toBe(TOKEN.version)
    expect((await call(old, old.getAccessToken, REQUEST, noBearer())).token?.version).toBe(TOKEN.version)
    write(server, foreign?.cert)
    await vi.waitFor(() => expect(said(running, 'info')).toHaveLength(2), { timeout: 5_000 })
    expect(await ask(running, theirs)).toBe(TOKEN.version)
    // Between the cut and the new connection it is merely unavailable.
    await vi.waitFor(
      async () => {
        const failure = await failureOf(call(old, old.getAccessToken, REQUEST, noBearer()))
        expect(failure.code).toBe(status.UNAUTHENTICATED)
      },
      { timeout: 5_000 },
    )
  })
})
