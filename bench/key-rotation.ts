import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { sealContext } from '../src/broker/connection.ts'
import { AdminServiceService, KeyState } from '../src/gen/tokenbroker/v1/admin.ts'
import { TokenBrokerServiceService } from '../src/gen/tokenbroker/v1/token_broker.ts'
import { Secret } from '../src/secret.ts'
import { openSealedStore } from '../src/store/open-store.ts'
import { firstLine } from './measure.ts'

/**
 * A new seed and a new root key while 500 calls a second are served: `node bench/key-rotation.ts [CONNECTIONS]`
 * (default 5,000). Counts the calls that fail, and measures how long the values of the old key take.
 */
const CONNECTIONS = Number(process.argv[2] ?? 5_000)
const CALLS_PER_SECOND = 500
const CALLS_EVERY_MS = 10
/** Connections that are called for, each once before the measurement: its first release is written to the disk. */
const CALLED = 200
/** Before and after, for comparison. */
const QUIET_MS = 5_000
const DEADLINE_MS = 10_000
/** Between two looks at the keys. */
const LOOK_MS = 1_000
const MAIN = join(import.meta.dirname, '../src/main.ts')

const CONFIG = `
listen: {grpc: [{address: 127.0.0.1:0}], http: {address: 127.0.0.1:0}, admin: {address: 127.0.0.1:0}}
data_dir: ./data
root_key_next: {file: ./next.key}
providers:
  acme:
    definition: {authorize_url: "https://as.example/authorize", token_url: "https://as.example/token"}
    client_id: bench
    client_secret: {env: BENCH_SECRET}
`

const folder = mkdtempSync(join(tmpdir(), 'token-broker-bench-'))
const dataDir = join(folder, 'data')
writeFileSync(join(folder, 'broker.yaml'), CONFIG)
writeFileSync(join(folder, 'next.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
await fill()
const env = { PATH: process.env.PATH, BENCH_SECRET: 'bench' }
const broker = spawn(process.execPath, [MAIN, 'serve'], {
  env,
  cwd: folder,
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  await run(await connect())
} finally {
  broker.kill()
  rmSync(folder, { recursive: true, force: true })
}

async function fill(): Promise<void> {
  const rootKey = { kind: 'file', path: join(dataDir, 'root.key'), createIfMissing: true } as const
  const { store, keyring, close } = await openSealedStore({ dataDir, rootKey, now: Date.now() })
  for (let index = 0; index < CONNECTIONS; index++) {
    const place = { id: `c${index}`, grantEpoch: 1, tokenOrigin: 'https://as.example' }
    const seal = (column: 'access_token' | 'refresh_token') =>
      keyring.seal(new Secret(`${column}-${randomBytes(300).toString('base64')}`), sealContext(place, column))
    await store.saveGrant({
      ...{ ...place, provider: 'acme', account: `a${index}`, expected: null, cancelRevocations: false },
      ...{ connectTime: Date.now(), obtainedAt: Date.now(), expiresAt: Date.now() + 36_000_000 },
      ...{ version: `v${index}`, tokenType: 'Bearer', expiry: 'STATED', variables: {}, attributes: {} },
      ...{ requestedScopes: ['a'], providerAccountId: '', providerAccountName: '' },
      clientFingerprint: createHash('sha256').update('bench').digest('hex').slice(0, 16),
      sealedAccessToken: seal('access_token'),
      sealedRefreshToken: seal('refresh_token'),
    })
  }
  await close()
}

interface Rpc<Request, Response> {
  readonly path: string
  readonly requestSerialize: (request: Request) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => Response
}
type Call = <Request, Response>(method: Rpc<Request, Response>, request: Request) => Promise<Response>

async function connect(): Promise<Call> {
  const { grpc } = JSON.parse(await firstLine(broker)) as { grpc: string[] }
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${readFileSync(join(dataDir, 'operator.token'), 'utf8').trim()}`)
  const client = new Client(grpc[0] ?? '', credentials.createInsecure())
  return ({ path, requestSerialize, responseDeserialize }, request) =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS }
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        (error, answer) => (error !== null || answer === undefined ? reject(error) : resolve(answer)),
      )
    })
}

interface Phase {
  readonly name: string
  readonly latencies: number[]
  failed: number
}

async function run(call: Call): Promise<void> {
  const phases: Phase[] = ['before', 'rotation', 'after'].map(name => ({ name, latencies: [], failed: 0 }))
  let phase = phases[0] ?? fail()
  let isRunning = true
  const pending: Promise<void>[] = []

  async function ask(): Promise<void> {
    const own = phase
    const started = performance.now()
    const account = `a${Math.floor(Math.random() * CALLED)}`
    try {
      await call(TokenBrokerServiceService.getAccessToken, requestFor(account))
      own.latencies.push(performance.now() - started)
    } catch (error) {
      // One of each failure is enough to see what it is.
      if (own.failed++ === 0) process.stderr.write(`${own.name}: ${error}\n`)
    }
  }

  for (let index = 0; index < CALLED; index++) {
    await call(TokenBrokerServiceService.getAccessToken, requestFor(`a${index}`))
  }
  const load = (async () => {
    const started = performance.now()
    for (let sent = 0; isRunning; ) {
      const due = ((performance.now() - started) * CALLS_PER_SECOND) / 1_000
      for (; sent < due; sent++) pending.push(ask())
      await setTimeout(CALLS_EVERY_MS)
    }
  })()

  await setTimeout(QUIET_MS)
  phase = phases[1] ?? fail()
  const started = performance.now()
  await call(AdminServiceService.rotateKeys, {})
  const { keyCount } = await call(AdminServiceService.rewrapKeys, {})
  for (;;) {
    const { keys } = await call(AdminServiceService.getKeys, {})
    if (keys.some(({ state }) => state === KeyState.RETIRED)) break
    await setTimeout(LOOK_MS)
  }
  const seconds = (performance.now() - started) / 1_000
  phase = phases[2] ?? fail()
  await setTimeout(QUIET_MS)
  isRunning = false
  await load
  await Promise.all(pending)
  for (const each of phases) process.stdout.write(`${line(each)}\n`)
  const rate = (2 * CONNECTIONS) / seconds
  process.stdout.write(
    `${CONNECTIONS} connections (${2 * CONNECTIONS} values) under the new seed in ${seconds.toFixed(1)} s ` +
      `(${rate.toFixed(0)} values/s), ${keyCount} keys under the new root key\n`,
  )
}

function requestFor(account: string) {
  return { provider: 'acme', account, minTtl: undefined, rejectedVersion: '', requiredScopes: [] }
}

function line({ name, latencies, failed }: Phase): string {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
  return `${name.padEnd(8)}  ${latencies.length} calls, ${failed} failed, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
}

function fail(): never {
  throw new Error('missing')
}
