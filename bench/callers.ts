import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type PeerCertificate, TLSSocket } from 'node:tls'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { identityOf, peerIdentity, rememberPeer } from '../src/api/peer-identity.ts'
import { GetAccessTokenRequest } from '../src/gen/tokenbroker/v1/token_broker.ts'
import { type Authority, createAuthority, type Pair } from '../test/api/authority.ts'
import { createKey, sign } from '../test/api/jwt-issuer.ts'
import { firstLine, measure, median } from './measure.ts'

/**
 * What it costs to know a caller, by each kind of proof: `node bench/callers.ts`.
 *
 * First the identity of a certificate alone, read for each call against remembered for the connection. Then
 * GetAccessToken over TLS, a connection of the same kind for each proof, in turn. Quote the ratios.
 */
const ROUNDS = 7
const READS = 20_000
const METHOD = '/tokenbroker.v1.TokenBrokerService/GetAccessToken'
const SPIFFE = 'spiffe://example.org/billing'
const MAIN = join(import.meta.dirname, '../src/main.ts')

const folder = mkdtempSync(join(tmpdir(), 'token-broker-bench-'))
const authority = createAuthority(folder, 'bench')
if (authority === undefined) throw new Error('this needs openssl')
const server = authority.issue({ names: ['DNS:localhost'], usage: 'serverAuth' })
const own = authority.issue({ names: [`URI:${SPIFFE}`] })
try {
  await compareReads(authority)
  await compareCalls(authority)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function compareCalls({ cert: ca }: Authority): Promise<void> {
  const jwt = await writeConfig(ca)
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env: { PATH: process.env.PATH, BENCH_ACCESS_TOKEN: 'bench' },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { grpc } = JSON.parse(await firstLine(child)) as { grpc: string[] }
  const address = `localhost:${grpc[0]?.split(':').at(-1)}`
  const operator = readFileSync(join(folder, 'operator.token'), 'utf8').trim()
  const subjects = {
    token: callsOf(address, ca, operator),
    certificate: callsOf(address, ca, undefined, own),
    jwt: callsOf(address, ca, jwt),
  }
  type Name = keyof typeof subjects
  for (const subject of Object.values(subjects)) await measure(subject)
  const rounds: Record<Name, number>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { perSecond: token } = await measure(subjects.token)
    const { perSecond: certificate } = await measure(subjects.certificate)
    const { perSecond: jwt } = await measure(subjects.jwt)
    rounds.push({ token, certificate, jwt })
  }
  child.kill()
  for (const name of ['token', 'certificate', 'jwt'] as const) {
    const perSecond = median(rounds.map(round => round[name])).toFixed(0)
    const ratio = median(rounds.map(round => round[name] / round.token)).toFixed(2)
    process.stdout.write(`${name.padEnd(11)}  ${perSecond} calls/s, ${ratio} of a static token\n`)
  }
}

/** @returns a JWT that the broker believes */
async function writeConfig(ca: string): Promise<string> {
  const key = await createKey('k1')
  const files = { 'ca.pem': ca, 'cert.pem': server.cert, 'key.pem': server.key.expose() }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
  const allow = 'allow: [{providers: ["*"], accounts: ["*"], methods: [GetAccessToken]}]'
  const config = `listen:
  grpc: [{address: 127.0.0.1:0, tls: {cert: cert.pem, key: key.pem, client_ca: ca.pem}}]
  http: {address: 127.0.0.1:0}
  admin: {address: 127.0.0.1:0}
data_dir: .
providers:
  pinterest: {static_access_token: {env: BENCH_ACCESS_TOKEN}}
callers:
  - {name: billing, spiffe: "${SPIFFE}", ${allow}}
  - {name: web, jwt: {issuer: https://i.example, audience: tb, subject: web, jwks_file: keys.json}, ${allow}}
`
  writeFileSync(join(folder, 'broker.yaml'), config)
  const iat = Math.floor(Date.now() / 1_000)
  return sign(key, { iss: 'https://i.example', aud: 'tb', sub: 'web', iat, exp: iat + 3_600 })
}

function callsOf(address: string, ca: string, bearer?: string, pair?: Pair): { call: () => Promise<void> } {
  const pem = pair && ([Buffer.from(pair.key.expose()), Buffer.from(pair.cert)] as const)
  const client = new Client(address, credentials.createSsl(Buffer.from(ca), pem?.[0], pem?.[1]))
  const metadata = new Metadata()
  if (bearer !== undefined) metadata.set('authorization', `Bearer ${bearer}`)
  const request = Buffer.from(
    GetAccessTokenRequest.encode(GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })).finish(),
  )
  const bytes = (message: Buffer) => message
  return {
    call: () =>
      new Promise((fulfil, reject) => {
        client.makeUnaryRequest(METHOD, bytes, bytes, request, metadata, error =>
          error ? reject(error) : fulfil(),
        )
      }),
  }
}

async function compareReads({ cert: ca }: Authority): Promise<void> {
  const [cert, key] = [own.cert, own.key.expose()]
  const ALPNProtocols = ['h2']
  const asked = { ca, cert: server.cert, key: server.key.expose(), requestCert: true }
  const listener = createServer({ ...asked, ALPNProtocols })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const { port } = listener.address() as AddressInfo
  const known = { port, host: '127.0.0.1', servername: 'localhost', ca, cert, key }
  const peer = connect({ ...known, ALPNProtocols })
  const [socket] = (await once(listener, 'secureConnection')) as [TLSSocket]
  const http2 = createHttp2Server()
  const begun = once(http2, 'session')
  http2.emit('connection', socket)
  const [session] = (await begun) as [ServerHttp2Session]
  const anew = perRead(() => {
    // As grpc-js does for each call, and then we for its identity.
    authContext(session)
    const certificate = socket.getPeerX509Certificate()
    return certificate && identityOf(certificate)
  })
  rememberPeer(socket)
  const remembered = perRead(() => peerIdentity(authContext(session)))
  const times = `${anew.toFixed(1)} against ${remembered.toFixed(2)} microseconds of a processor`
  process.stdout.write(
    `identity read for each call / remembered: ${(anew / remembered).toFixed(0)} (${times})\n`,
  )
  peer.destroy()
  listener.close()
}

/** What `getAuthContext()` of grpc-js does. */
function authContext({ socket }: ServerHttp2Session): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  return socket.getPeerCertificate()
}

/** Microseconds of a processor: others on the machine do not count. */
function perRead(read: () => unknown): number {
  for (let count = 0; count < READS; count++) read()
  const before = process.cpuUsage()
  for (let count = 0; count < READS; count++) read()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / READS
}
