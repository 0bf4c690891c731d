import { BrokerError, type Reason } from '../../src/broker/errors.ts'
import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Acts, Ending } from './acts.ts'
import type { ProviderMode, StoreMode } from './profile.ts'
import type { Replica } from './replica.ts'
import { candidatesOf, grantOfRow, plainOf } from './truth.ts'
import { EPOCH, type World } from './world.ts'

/** What a reader of the documentation would know: whether there is a connection, and what has been in the way of late. */
export interface Model {
  /** `unknown` after a call that was not answered. */
  connected: 'yes' | 'no' | 'unknown'
  paused: boolean
  provider: ProviderMode
  store: StoreMode
  /** Milliseconds for which nothing has been in the way. */
  fairMs: number
  /** Milliseconds for which the store has been up. */
  storeUpMs: number
  /** Milliseconds since the wall clock was moved. */
  clockMs: number
  /** When a refresh was forced, in the world's time; absent = none was in this process, `unknown` = maybe. */
  forcedAt?: number | 'unknown'
}

/** What the commands act on: one broker over its own store. */
export interface Real {
  readonly world: World
  readonly acts: Acts
  readonly replica: Replica
  /** How often an answer was compared with the only one that is right. */
  readonly checks: { count: number }
}

/** After that long without trouble everything that lives is well: the longest wait is a provider's breaker. */
const HEALED_MS = 120_000
/** What failed while the store could not be used may be answered so much later: callers wait no longer. */
const STORE_FELT_MS = 10_000
/** A forced refresh is not repeated within that time. */
const REPEAT_AFTER_MS = 30_000
/** A verdict that was never true is found out by the probes 10 minutes, an hour and a day after it. */
const PROBE_MS_MAX = 86_400_000

/** The model before anything is connected. */
export function newModel(): Model {
  const long = Number.POSITIVE_INFINITY
  return {
    connected: 'no',
    paused: false,
    provider: 'fair',
    store: 'up',
    fairMs: 0,
    storeUpMs: long,
    clockMs: long,
  }
}

/** Lets time pass for both. */
export async function pass({ world }: Real, model: Model, ms: number): Promise<void> {
  const isStoreUp = model.store === 'up' && !model.paused
  await world.run(ms)
  model.storeUpMs = isStoreUp ? model.storeUpMs + ms : 0
  model.fairMs = isStoreUp && model.provider === 'fair' ? model.fairMs + ms : 0
  model.clockMs += ms
}

/** What a get of a token may be answered. */
export function checkGet(real: Real, model: Model, before: Readonly<Model>, ending: Ending<string>): void {
  const reason = reasonOf(ending)
  checkStore(before, model, reason)
  if (reason === 'BROKER_UNAVAILABLE' || model.connected === 'unknown') return
  if (model.connected === 'no') {
    expectOneOf(real, reason, ['CONSENT_REQUIRED'])
    return
  }
  if (reason === 'CONSENT_REQUIRED') throw new Error('a connection was not found')
  if (model.fairMs < HEALED_MS) return
  // Nothing is in the way: what lives is served, and what is dead is called dead.
  expectOneOf(
    real,
    reason,
    isServed(real) ? [undefined, 'MIN_TTL_UNREACHABLE'] : [undefined, 'REAUTH_REQUIRED'],
  )
}

/** Whatever the provider does, a token that is good is answered. */
export function checkGood(real: Real, model: Model, ending: Ending<string>): void {
  const [row] = real.world.truth.rows
  if (row === undefined || model.connected !== 'yes' || model.storeUpMs < STORE_FELT_MS) return
  const { habits } = real.world.truth.server
  const end = real.world.truth.server.endOf(plainOf(row.sealedAccessToken)) ?? 0
  const leftMs = end - real.world.scheduler.now()
  // Of a token that is older than the clock's last move only the broker's memory knows the age.
  const isOlder = habits.lifetime * 1_000 - leftMs >= model.clockMs
  if (leftMs > 0 && !isOlder) expectOneOf(real, reasonOf(ending), [undefined])
}

/** What a forced refresh may be answered. */
export function checkRefresh(
  real: Real,
  model: Model,
  before: Readonly<Model>,
  startedAt: number,
  ending: Ending<unknown>,
): void {
  const reason = reasonOf(ending)
  checkStore(before, model, reason)
  noteForced(model, startedAt, reason)
  if (reason === 'BROKER_UNAVAILABLE' || model.connected === 'unknown') return
  if (model.connected === 'no') {
    expectOneOf(real, reason, ['CONSENT_REQUIRED'])
    return
  }
  if (reason === 'CONSENT_REQUIRED') throw new Error('a connection was not found')
  if (before.fairMs < HEALED_MS || !ending.ok) return
  const { refreshed } = ending.value as { readonly refreshed: boolean }
  const { forcedAt } = before
  if (forcedAt === 'unknown') return
  const isRepeat = forcedAt !== undefined && startedAt - forcedAt < REPEAT_AFTER_MS
  const expected = !isRepeat && isServed(real)
  real.checks.count++
  if (refreshed !== expected) throw new Error(`expected refreshed: ${expected}, got ${refreshed}`)
}

/** A refresh that was forced is one for the next 30 s, however it ended; what was not connected is not remembered. */
function noteForced(model: Model, startedAt: number, reason: Reason | undefined): void {
  const { forcedAt } = model
  if (reason === 'CONSENT_REQUIRED' || forcedAt === 'unknown') return
  if (reason === 'BROKER_UNAVAILABLE') model.forcedAt = 'unknown'
  else if (forcedAt === undefined || startedAt - forcedAt >= REPEAT_AFTER_MS) model.forcedAt = startedAt
}

/** What ends well whenever the store can be used. */
export function checkStored(model: Model, before: Readonly<Model>, ending: Ending<unknown>): void {
  const reason = reasonOf(ending)
  checkStore(before, model, reason)
  if (reason !== undefined && reason !== 'BROKER_UNAVAILABLE')
    throw new Error(`expected success, got ${reason}`)
}

/** The broker blames its store only if that is to blame. */
function checkStore(before: Readonly<Model>, model: Readonly<Model>, reason: Reason | undefined): void {
  if (reason === 'BROKER_UNAVAILABLE' && before.storeUpMs >= STORE_FELT_MS && model.storeUpMs > 0)
    throw new Error('expected no BROKER_UNAVAILABLE while the store is up')
}

/** Whether the server takes what is stored, and the broker knows or finds out by asking. */
function isServed(real: Real): boolean {
  const { truth, scheduler } = real.world
  const [row] = truth.rows
  const lives =
    row !== undefined && candidatesOf(row).some(token => truth.server.accepts(token, scheduler.now()))
  return lives && !isToBeProbed(real, row)
}

/** Whether a verdict rests on lies of the provider, and the probe that will find that out is still to come: within a day. */
function isToBeProbed({ world: { truth, scheduler }, replica }: Real, row: ConnectionRow): boolean {
  const grant = grantOfRow(truth, row)
  if (row.state !== 'REAUTH_REQUIRED' || grant === undefined || !truth.liedAbout.has(grant)) return false
  const ahead = (row.nextRefreshAt ?? Number.NEGATIVE_INFINITY) - EPOCH - scheduler.now() - replica.wallOffset
  return ahead >= 0 && ahead <= PROBE_MS_MAX
}

function reasonOf(ending: Ending<unknown>): Reason | undefined {
  if (ending.ok) return undefined
  if (ending.error instanceof BrokerError) return ending.error.reason
  throw ending.error
}

function expectOneOf(
  { checks }: Real,
  reason: Reason | undefined,
  allowed: readonly (Reason | undefined)[],
): void {
  checks.count++
  if (!allowed.includes(reason))
    throw new Error(`expected ${allowed.map(String).join(' or ')}, got ${reason ?? 'a success'}`)
}
