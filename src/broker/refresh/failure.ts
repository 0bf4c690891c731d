import type { AuditEntry } from '../../audit/audit.ts'
import type { Failure } from '../../oauth/failure.ts'
import type { Secret } from '../../secret.ts'
import type { Base, ConnectionRow, RefreshFailure, StoredError } from '../../store/rows.ts'
import { stateChange } from '../audit/state-audit.ts'
import { type Connection, sealContext } from '../connection.ts'
import { guard } from '../connections.ts'
import type { Pass } from '../governor/governor.ts'
import type { Clock } from '../ports.ts'
import { type RefreshOutcome, type RefreshPorts, reread } from './outcome.ts'
import { refreshError } from './refresh-error.ts'
import type { RefreshAnswer } from './request.ts'
import { serveUnstored, spooledGrant } from './settle-commit.ts'
import { isExplained, judge, NOTHING_LEFT, type Verdict } from './verdict.ts'

/** How often a failure that could not be recorded is tried again, and for how long: an hour. */
const RECORD_RETRY_MS = 1_000
const RECORD_TRIES_MAX = 3_600

/** What a refusal means that another attempt may have caused: it ends nothing. */
const DOUBTFUL = { reason: 'PROVIDER_UNAVAILABLE' } as const

/** An attempt whose intent is stored. */
export interface Attempt {
  readonly base: Base
  readonly attemptId: string
}

/** Records a refused or unanswered attempt, and tells the provider's governor. */
export async function fail(
  ports: RefreshPorts,
  connection: Connection,
  attempt: Attempt,
  { failure, evidence }: RefreshAnswer & { readonly ok: false },
  pass: Pass,
): Promise<RefreshOutcome> {
  const { row } = connection
  const { governor, observations } = ports.providers.get(row.provider)
  pass.failed(failure, { explained: isExplained(row) })
  const held = governor.holdsVerdicts()
  const now = ports.clock.now()
  const refusedForMs = observations.refusedForMs(row.id)
  const fraction = ports.random.fraction()
  const clockJumped = ports.wallClock.hasJumped()
  const verdict = judge(row, failure, { now, fraction, evidence, held, refusedForMs, clockJumped })
  if (failure.refreshToken !== undefined) {
    return keepRefreshToken(ports, connection, attempt.base, failure, failure.refreshToken, verdict)
  }
  return record(ports, connection, attempt, failure, verdict)
}

/** Records that there is nothing to renew an expired token with. */
export function settleWithout(
  ports: RefreshPorts,
  connection: Connection,
  attempt: Attempt,
): Promise<RefreshOutcome> {
  const failure: Failure = {
    class: 'reauthorize',
    outcomeUnknown: false,
    providerCode: '',
    message: 'the access token expired and the provider issued no refresh token',
  }
  return record(ports, connection, attempt, failure, NOTHING_LEFT)
}

async function record(
  ports: RefreshPorts,
  connection: Connection,
  { base, attemptId }: Attempt,
  failure: Failure,
  verdict: Verdict,
): Promise<RefreshOutcome> {
  const { row } = connection
  // A dead grant that gets no answer when it is asked again has not been refused again.
  const isOver = verdict.reason === 'REAUTH_REQUIRED'
  const outcome: RefreshFailure = {
    attemptId,
    // What an earlier attempt left open stays open until an answer settles it.
    outcomeUnknown: !isOver && (failure.outcomeUnknown || row.outcomeUnknownSince !== undefined),
    siblingRefused: isOver,
    state: verdict.state,
    stateReason: verdict.stateReason,
    nextRefreshAt: verdict.nextRefreshAt,
    error: storedError(failure, verdict, ports.clock.now()),
  }
  const entry = stateChange(ports.audit, row, verdict.state, verdict.stateReason)
  const stored = await guard(
    ports.store.failRefresh(base, outcome, entry).catch(error => {
      void recordLater(ports, base, outcome, entry)
      throw error
    }),
  )
  if (stored === undefined) return overtaken(ports, connection, failure)
  report(ports, row, stored, failure)
  ports.audit.countRefresh(row.provider, 'FAILED')
  return failed(ports, ports.connections.put(stored), verdict)
}

/**
 * Records a failure once the store can be written. Else the connection would not be tried again before it is due by
 * its age, whatever the provider made of the attempt. Of one that another process has overtaken
 * only the doubt remains.
 */
async function recordLater(
  ports: RefreshPorts,
  base: Base,
  outcome: RefreshFailure,
  entry: AuditEntry | undefined,
): Promise<void> {
  const { store, connections, clock } = ports
  const { nextRefreshAt: planned, error } = outcome
  await insist(clock, async () => {
    // What was planned before the clock was set back lies too far ahead.
    const nextRefreshAt = planned && Math.min(planned, clock.now() + planned - error.at)
    const stored = await store.failRefresh(base, { ...outcome, nextRefreshAt }, entry)
    if (stored !== undefined) connections.put(stored)
    // What this process stored meanwhile it has asked for after the refusal, which is refuted by that.
    else if (ports.replica !== undefined && error.class === 'reauthorize')
      await doubt(ports, base, { ...error, ...DOUBTFUL })
  })
}

/** Tries every second until it succeeds; the store has been reported by whoever asked for the refresh. */
async function insist(clock: Clock, step: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < RECORD_TRIES_MAX; tries++) {
    await new Promise<void>(resolve => clock.schedule(RECORD_RETRY_MS, resolve))
    if (await step().then(isDone, isNotDone)) return
  }
}

const isDone = () => true
const isNotDone = () => false

function report(ports: RefreshPorts, row: ConnectionRow, stored: ConnectionRow, failure: Failure): void {
  const { provider, account } = row
  const fields = { provider, account, class: failure.class, state: stored.state, reason: stored.stateReason }
  if (stored.state === row.state) ports.log.warn('Refresh failed', fields)
  else ports.log.error('The connection needs attention', fields)
}

/** Somebody else refreshed meanwhile. If our token was refused because of that, it may have cost both. */
async function overtaken(
  ports: RefreshPorts,
  connection: Connection,
  failure: Failure,
): Promise<RefreshOutcome> {
  if (failure.class !== 'reauthorize') return reread(ports, connection)
  const { row } = connection
  // The other one's answer may still be under way: when this refusal came is what makes it doubtful then.
  const refusal = storedError(failure, DOUBTFUL, ports.clock.now())
  await guard(
    doubt(ports, row, refusal).catch(error => {
      void insist(ports.clock, () => doubt(ports, row, refusal))
      throw error
    }),
  )
  return reread(ports, connection)
}

async function doubt({ store, connections, clock }: RefreshPorts, at: Base, refusal: StoredError) {
  const suspect = await store.markSuspect(at, clock.now(), refusal)
  if (suspect !== undefined) connections.put(suspect)
}

/** The answer was no use but for its refresh token, which replaces the one that it may have killed. */
async function keepRefreshToken(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  failure: Failure,
  refreshToken: Secret,
  verdict: Verdict,
): Promise<RefreshOutcome> {
  const { row } = connection
  const { provider, account } = row
  const now = ports.clock.now()
  const outcome = {
    sealedRefreshToken: ports.keyring.seal(refreshToken, sealContext(row, 'refresh_token')),
    now,
    nextRefreshAt: verdict.nextRefreshAt ?? now,
    error: storedError(failure, verdict, now),
  }
  const unstored = { commit: { provider, account, base, outcome, grant: spooledGrant(row) } }
  const placed = await ports.pending.store(unstored)
  ports.log.warn('An answer was no use but for its refresh token, which is kept', { provider, account })
  if (placed.where === 'elsewhere') return reread(ports, connection)
  if (placed.where === 'store') return failed(ports, placed.connection, verdict)
  const served = serveUnstored(ports.connections, unstored)
  return served === undefined ? reread(ports, connection) : failed(ports, served, verdict)
}

function storedError(failure: Failure, { reason }: Pick<Verdict, 'reason'>, at: number): StoredError {
  return { class: failure.class, reason, providerCode: failure.providerCode, message: failure.message, at }
}

function failed(
  { providers, endings, clock }: RefreshPorts,
  connection: Connection,
  verdict: Verdict,
): RefreshOutcome {
  const { row } = connection
  endings.consider(row)
  const error = refreshError(providers.get(row.provider), row, verdict, clock.now())
  return { ok: false, connection, error }
}
