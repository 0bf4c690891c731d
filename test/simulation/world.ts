import type { ConnectionRow, RevocationTokens } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { fakeKeyring } from '../broker/fake-keyring.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { createAuthorizationServer, type Grant } from './authorization-server.ts'
import { createDice, type Dice } from './dice.ts'
import type { HttpPorts } from './http-port.ts'
import { checkChange, checkRows } from './invariants.ts'
import { fatesOf, type Profile, type ProviderMode, type StoreMode } from './profile.ts'
import { createReplica, type Replica } from './replica.ts'
import { createScheduler, type Process, type Scheduler } from './scheduler.ts'
import { createSendingRules } from './sending.ts'
import type { StoreCall, StorePorts } from './store-port.ts'
import { createTruth, grantOfRow, plainOf, type Truth } from './truth.ts'

/** The wall clock when a simulation begins. */
export const EPOCH = Date.UTC(2026, 0, 1)
/** Replicas hear of each other's changes within that many milliseconds. */
export const NEWS_MS_MAX = 300

/** What a process could not record it has tried again after a second, and what the store takes to answer. */
const RECORD_RETRY_MS_MAX = 1_050

/** What has been due for so long is looked for that often only. */
const OVERDUE_MS = 5_000

/** Carries a call of the store out otherwise than it should be. */
export type Plant = (call: StoreCall, world: World) => Promise<unknown>

/** Everything of one simulation. */
export interface World {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly truth: Truth
  readonly replicas: readonly Replica[]
  readonly modes: { provider: ProviderMode; store: StoreMode }
  /** Lets time pass and checks the invariants after each event, until one does not hold. */
  run(ms: number): Promise<void>
  /** What must hold after a step. */
  check(): Promise<void>
  /** How many revocations are stored. */
  countRevocations(): Promise<number>
}

export interface WorldOptions {
  /** A fault planted in the store, to see whether it is found. */
  readonly plant?: Plant
  /** Gets a line for everything that happens. */
  readonly trace?: string[]
  /** Chance, if it is not the profile's seed that decides. */
  readonly dice?: Dice
}

/** Makes the world of a profile; its replicas run, nothing is connected. */
export function createWorld(profile: Profile, options: WorldOptions = {}): World {
  const { plant, trace, dice = createDice(profile.seed ^ 0x5eed) } = options
  const scheduler = createScheduler(dice.fork(), () => quietUntil())
  const server = createAuthorizationServer(profile.habits)
  const shared = createMemoryStore()
  const observer = shared.open('observer')
  const modes: World['modes'] = { provider: 'fair', store: 'up' }
  const replicas: Replica[] = []
  const isOwing = ({ refusedAt = Number.NEGATIVE_INFINITY }: Process) =>
    scheduler.now() - refusedAt <= RECORD_RETRY_MS_MAX
  const isBusy: Truth['isBusy'] = process =>
    isOwing(process) || replicas.some(one => one.process === process && one.isBusy())
  const truth = createTruth(server, scheduler, isBusy, trace)
  const sending = createSendingRules(truth, profile.replicas)
  let revocationsDue = Number.POSITIVE_INFINITY

  const rowsNow = () => observer.listConnections({ limit: 100 })

  async function look(): Promise<void> {
    truth.rows = await rowsNow()
    const [revocation] = await observer.listDueRevocations(Number.MAX_SAFE_INTEGER, 1)
    revocationsDue = revocation?.nextTryAt ?? Number.POSITIVE_INFINITY
  }

  /** The first moment, in the simulation's time, at which somebody's look at the store would find something. */
  function quietUntil(): number {
    // The spool's retries are timers like any other.
    if (replicas.some(({ spool }) => spool.commits.length > 0)) return 0
    // A store that answers nothing has nothing to find; it comes back between two stretches of time.
    if (modes.store === 'down' || modes.store === 'full') return Number.POSITIVE_INFINITY
    const ahead = Math.max(...replicas.map(replica => replica.wallOffset))
    const due = Math.min(revocationsDue, ...truth.rows.map(dueAt)) - EPOCH - ahead
    const now = scheduler.now()
    // What was not done at once waits for something else, such as a provider that is down.
    return due < now - OVERDUE_MS ? (Math.floor(now / OVERDUE_MS) + 1) * OVERDUE_MS : due
  }

  async function apply(call: StoreCall): Promise<unknown> {
    const carryOut = () => (plant === undefined ? call.proceed() : plant(call, world))
    if (
      !/^(save|begin|commit|fail|keep|mark|forget|enrich|remove|adopt|extend|addRev|replaceRev)/.test(
        call.method,
      )
    )
      return carryOut()
    const before = await rowsNow()
    const result = await carryOut()
    const after = await rowsNow()
    noteChange(truth, call, before, after, result, scheduler.now())
    checkChange(truth, call, before, after)
    truth.rows = after
    return result
  }

  const storePorts: StorePorts = {
    scheduler,
    dice: dice.fork(),
    mode: () => modes.store,
    apply,
    newsMsMax: NEWS_MS_MAX,
  }
  const httpPorts: Omit<HttpPorts, 'onSend'> = {
    scheduler,
    dice: dice.fork(),
    server,
    fates: () => fatesOf(profile, modes.provider),
    note: truth.note,
    onAnswer({ refreshToken }, status) {
      if (refreshToken === undefined || status !== 400) return
      truth.refusals.set(refreshToken, (truth.refusals.get(refreshToken) ?? 0) + 1)
    },
    onLie({ refreshToken = '' }) {
      const grant = server.grantOf(refreshToken)
      if (grant !== undefined) truth.liedAbout.add(grant)
    },
  }
  const world: World = {
    profile,
    scheduler,
    dice,
    truth,
    replicas,
    modes,
    async check() {
      await look()
      checkRows(truth, scheduler.now())
      const first = truth.violations[0]
      if (first !== undefined) throw new Error(`${first.rule}: ${first.text}`)
    },
    countRevocations: async () => (await observer.listDueRevocations(Number.MAX_SAFE_INTEGER, 100)).length,
    run: ms => scheduler.runUntil(scheduler.now() + ms, world.check),
  }
  for (let index = 0; index < profile.replicas; index++) {
    replicas.push(
      createReplica({ world, index, shared, storePorts, httpPorts, sending, keyring: fakeKeyring }),
    )
  }
  return world
}

/** When a look at the store would find something to do with that row; wall time. */
function dueAt({ attemptId, leaseUntil, nextRefreshAt }: ConnectionRow): number {
  const never = Number.POSITIVE_INFINITY
  return Math.min(attemptId === undefined ? never : (leaseUntil ?? 0), nextRefreshAt ?? never)
}

/** Takes down what became durable, and who disconnected what. */
function noteChange(
  truth: Truth,
  { method, args, process }: StoreCall,
  before: readonly ConnectionRow[],
  after: readonly ConnectionRow[],
  result: unknown,
  now: number,
): void {
  for (const row of after) {
    if (before.includes(row)) continue
    truth.note(`${process.name} ${method}: ${describe(row)}`)
    for (const sealed of [row.sealedAccessToken, row.sealedRefreshToken, row.sealedSibling]) {
      if (sealed !== undefined) keep(truth, plainOf(sealed), now)
    }
  }
  for (const { sealedAccessToken, sealedRefreshToken } of filedBy(method, args, result)) {
    for (const sealed of [sealedAccessToken, sealedRefreshToken]) {
      if (sealed !== undefined) keep(truth, plainOf(sealed), now)
    }
  }
  if (method !== 'removeConnection' || result === undefined) return
  const grant = grantOfRow(truth, result as ConnectionRow)
  truth.note(`${process.name} removed "${(result as ConnectionRow).account}"`)
  if (grant === undefined) return
  truth.disconnected.set(grant, { process })
  truth.tally.disconnects++
  if (isBeingRefreshed(truth, grant)) truth.tally.racedDisconnects++
}

/** Whether the provider has yet to answer a request with a refresh token of that grant. */
function isBeingRefreshed({ exchanges, server }: Truth, grant: Grant): boolean {
  return [...exchanges.values()].some(
    ({ open, refreshToken }) => open && refreshToken !== undefined && server.grantOf(refreshToken) === grant,
  )
}

/** The tokens that a call puts among the revocations. */
function filedBy(method: string, args: readonly unknown[], result: unknown): readonly RevocationTokens[] {
  if (method === 'removeConnection') {
    const leaving = args[2] as Parameters<Store['removeConnection']>[2]
    return result === undefined ? [] : (leaving?.(result as ConnectionRow).revocations ?? [])
  }
  const isFiled = method === 'addRevocation' || method === 'replaceRevocationTokens'
  return isFiled ? [args.at(-1) as RevocationTokens] : []
}

function keep(truth: Truth, token: string, now: number): void {
  truth.durable.add(token)
  if (!truth.storedAt.has(token)) truth.storedAt.set(token, now)
}

/** A row in a line. */
export function describe(row: ConnectionRow): string {
  const {
    account,
    state,
    stateReason,
    grantEpoch,
    counter,
    suspect,
    outcomeUnknownSince,
    nextRefreshAt,
    leaseOwner,
  } = row
  const tokens = [row.sealedRefreshToken, row.sealedSibling]
    .map(sealed => (sealed ? plainOf(sealed) : '-'))
    .join(' sibling ')
  const marks = [
    suspect && 'suspect',
    outcomeUnknownSince !== undefined && 'unknown',
    row.attemptId !== undefined &&
      `attempt of ${leaseOwner} until ${((row.leaseUntil ?? 0) - EPOCH) / 1_000}`,
    nextRefreshAt !== undefined && `next ${(nextRefreshAt - EPOCH) / 1_000}`,
    row.lastError && `error ${row.lastError.class}`,
  ].filter(Boolean)
  return `"${account}" ${state} ${stateReason} ${grantEpoch}/${counter} ${tokens} ${marks.join(', ')}`
}
