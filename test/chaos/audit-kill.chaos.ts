import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { credentials, Metadata } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hashCallerToken } from '../../src/config/caller-token.ts'
import { AdminServiceClient, ImportConnectionRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { databasePath, openSqliteStore } from '../../src/store/sqlite.ts'
import { bearer, call } from '../api/running-server.ts'
import { MAIN } from '../cli/run-process.ts'
import { createHome, HOST, type Home } from '../e2e/broker-process.ts'
import { byForm } from './form.ts'
import { report } from './report.ts'

const KILLS = byForm({ middle: 20, full: 1_000 })
const ACCOUNTS = Array.from({ length: 12 }, (_, index) => `account-${index}`)
const CALLERS = Array.from({ length: 5 }, (_, index) => `caller-${index}`)
/** From the answer on after which a round ends: into the next commit, or behind it. */
const AFTER_MS_MAX = 3
/** Rounds after which the whole audit is read: what was recorded stays, so that a gap is found later, too. */
const CHECK_ALL_EVERY = 20
const START_MS_MAX = 60_000
const ROUND_MS_MAX = 15_000

const CONFIGURATION = `acme:
  definition: {authorize_url: "http://127.0.0.1:1/a", token_url: "http://127.0.0.1:1/t"}
  client_id: x
  client_secret: {file: secret}
`

/** One token in somebody's hands. */
interface Held {
  readonly caller: string
  readonly version: string
}

describe('SIGKILL at a random moment while tokens are given out', () => {
  it(
    'leaves no token in anybody’s hands that the audit does not know of',
    async () => {
      const home = await createKillHome()
      const held: Held[] = []
      let partial = 0
      for (let round = 0; round < KILLS; round++) {
        const before = held.length
        await liveShortly(home, round, held)
        // All of them in each round would take hours.
        if (round % CHECK_ALL_EVERY === 0 || round === KILLS - 1) await checkAudit(home, held)
        const given = held.length - before
        if (given > 0 && given < ACCOUNTS.length * CALLERS.length) partial++
      }
      report('kills while tokens are given out', { rounds: KILLS, held: held.length, partial })
      // Otherwise the kills came when nothing was under way.
      expect(held.length).toBeGreaterThan(0)
      expect(partial).toBeGreaterThan(0)
    },
    START_MS_MAX + KILLS * ROUND_MS_MAX,
  )
})

async function createKillHome(): Promise<Home> {
  const home = await createHome()
  await home.writeFile('secret', 'canary-client-secret')
  const callers = CALLERS.map(
    name =>
      `  - {name: ${name}, token_sha256: ${hashCallerToken(name)}, allow: [{providers: [acme], accounts: ["*"], methods: [GetAccessToken]}]}`,
  )
  await home.configure(CONFIGURATION, `callers:\n${callers.join('\n')}\n`)
  return home
}

/** Everybody's tokens are known to the audit. */
async function checkAudit(home: Home, held: readonly Held[]): Promise<void> {
  const { released, recorded } = await readAudit(home)
  const unknown = held
    .map(({ caller, version }) => `${caller} ${version}`)
    .filter(release => !released.has(release) || !recorded.has(release))
  expect(unknown).toEqual([])
}

/** Starts the broker, gives it new tokens, lets everybody ask for all of them, and kills it meanwhile. */
async function liveShortly(home: Home, round: number, held: Held[]): Promise<void> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', home.configPath], {
    cwd: home.folder,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: `${home.folder}/compiled` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const address = await addressOf(child)
  const admin = new AdminServiceClient(address, credentials.createInsecure())
  const clients = CALLERS.map(() => new TokenBrokerServiceClient(address, credentials.createInsecure()))
  const operator = new Metadata()
  const token = await readFile(`${home.dataDir}/operator.token`, 'utf8')
  operator.set('authorization', `Bearer ${token.trim()}`)
  for (const account of ACCOUNTS) {
    const credential = { $case: 'accessToken', value: `canary-${round}-${account}` } as const
    const request = ImportConnectionRequest.fromPartial({
      provider: 'acme',
      account,
      credential,
      replace: true,
    })
    await call(admin, admin.importConnection, request, operator)
  }
  // The way is open before the race begins.
  await Promise.all(
    clients.map(client => new Promise(done => client.waitForReady(Date.now() + 10_000, done))),
  )
  const enough = held.length + 1 + Math.floor(Math.random() * (ACCOUNTS.length * CALLERS.length - 1))
  const moment = Promise.withResolvers<void>()
  const calls = CALLERS.map(async (caller, index) => {
    const client = clients[index]
    if (client === undefined) return
    for (const account of ACCOUNTS) {
      const request = GetAccessTokenRequest.fromPartial({ provider: 'acme', account })
      const answer = await call(client, client.getAccessToken, request, bearer(caller))
      held.push({ caller, version: answer.token?.version ?? '' })
      if (held.length >= enough) moment.resolve()
    }
  })
  const settled = Promise.allSettled(calls)
  await moment.promise
  await new Promise(resolve => setTimeout(resolve, Math.random() * AFTER_MS_MAX))
  child.kill('SIGKILL')
  await exited
  for (const client of [admin, ...clients]) client.close()
  await settled
}

async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const { message, grpc } = JSON.parse(line)
    if (message === 'Serving') return grpc[0]
  }
  throw new Error(`the broker on ${HOST} ended before it served`)
}

/** What a store that was left behind says, as caller and version. */
async function readAudit(home: Home): Promise<{ released: Set<string>; recorded: Set<string> }> {
  const store = await openSqliteStore({ path: databasePath(home.dataDir) })
  try {
    const releases = await store.listReleases({ limit: 1_000_000 })
    const records = await store.listAuditRecordsAfter(0, 1_000_000)
    return {
      released: new Set(releases.map(({ caller, version }) => `${caller} ${version}`)),
      recorded: new Set(
        records
          .filter(({ event }) => event === 'TOKEN_RELEASED')
          .map(({ caller, version }) => `${caller} ${version}`),
      ),
    }
  } finally {
    await store.close()
  }
}
