import type { TokenAnswer } from '../oauth/answer.ts'
import type { Failure } from '../oauth/failure.ts'
import type { Definition } from '../providers/definition.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Base, ConnectionRow } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Connection } from './connection.ts'
import { type Connections, guard } from './connections.ts'
import { BrokerError } from './errors.ts'
import type { Clock, Log, Random } from './ports.ts'
import type { Providers } from './providers.ts'
import { refreshError } from './refresh-error.ts'
import { nextRefresh } from './schedule.ts'
import { sealAnswer } from './seal-answer.ts'
import { judge, NOTHING_LEFT, type Verdict } from './verdict.ts'

/** How often a commit is tried again when the store fails just then, and how long between. */
const COMMIT_RETRIES = 5
const COMMIT_RETRY_MS = 500

/** How a refresh went. */
export type RefreshOutcome =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly connection: Connection; readonly error: BrokerError }

/** What refreshing needs. */
export interface RefreshPorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called with tokens that came for a grant that is gone; they should be revoked. */
  readonly abandon: (row: ConnectionRow, answer: TokenAnswer) => void
}

/** Commits before anybody is answered, whatever else is odd about the answer. */
export async function commit(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  answer: TokenAnswer,
  sentMonotonic: number,
): Promise<RefreshOutcome> {
  const { row } = connection
  const now = ports.clock.now()
  const { refresh } = ports.providers.get(row.provider).client.written
  const hasRefreshToken = answer.refreshToken !== undefined || row.sealedRefreshToken !== undefined
  const refreshExpiresAt = hasRefreshToken ? refreshTokenEnd(refresh, row, answer) : undefined
  const { lastUsedAt = row.connectTime } = ports.connections.peek(row)?.row ?? row
  const facts = { ...sealAnswer(row, answer, ports.keyring, ports.random), refreshExpiresAt }
  const { sentAt: obtainedAt, expiresAt } = answer
  const next = nextRefresh(
    refresh,
    { obtainedAt, expiresAt, refreshExpiresAt, lastUsedAt, hasRefreshToken },
    now,
    ports.random.fraction(),
  )
  const stored = await retryCommit(ports, () =>
    ports.store.commitRefresh(base, { ...facts, now, nextRefreshAt: next }),
  )
  if (stored === undefined) {
    ports.abandon(row, answer)
    return reread(ports, connection)
  }
  ports.log.info('Refreshed', { provider: row.provider, account: row.account, version: stored.version })
  const opened = ports.connections.put(stored, sentMonotonic)
  return { ok: true, connection: opened }
}

/** What the answer states, else what the definition knows of a token that each refresh prolongs. */
function refreshTokenEnd(
  { refresh_lifetime }: Definition['refresh'],
  row: ConnectionRow,
  answer: TokenAnswer,
): number | undefined {
  const { of: lifetime, kind } = refresh_lifetime ?? {}
  const slid = kind === 'sliding' && lifetime !== undefined ? answer.sentAt + lifetime : undefined
  return answer.refreshExpiresAt ?? slid ?? row.refreshExpiresAt
}

async function retryCommit<T>(ports: RefreshPorts, write: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry++) {
    try {
      return await write()
    } catch (error) {
      ports.log.error('Could not store renewed tokens', { retry, error })
      if (retry === COMMIT_RETRIES) return guard(Promise.reject(error))
      await new Promise<void>(resolve => ports.clock.schedule(COMMIT_RETRY_MS, resolve))
    }
  }
}

/** Records a refused or unanswered attempt. */
export function fail(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  attemptId: string,
  failure: Failure,
): Promise<RefreshOutcome> {
  const verdict = judge(connection.row, failure, ports.clock.now(), ports.random.fraction())
  return recordFailure(ports, connection, base, attemptId, failure, verdict)
}

/** Records that there is nothing to renew an expired token with. */
export function settleWithout(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  attemptId: string,
): Promise<RefreshOutcome> {
  const failure: Failure = {
    class: 'reauthorize',
    outcomeUnknown: false,
    providerCode: '',
    message: 'the access token expired and the provider issued no refresh token',
  }
  return recordFailure(ports, connection, base, attemptId, failure, NOTHING_LEFT)
}

async function recordFailure(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  attemptId: string,
  failure: Failure,
  verdict: Verdict,
): Promise<RefreshOutcome> {
  const { row } = connection
  const stored = await guard(
    ports.store.failRefresh(base, {
      attemptId,
      outcomeUnknown: failure.outcomeUnknown,
      state: verdict.state,
      stateReason: verdict.stateReason,
      nextRefreshAt: verdict.nextRefreshAt,
      error: {
        class: failure.class,
        reason: verdict.reason,
        providerCode: failure.providerCode,
        message: failure.message,
        at: ports.clock.now(),
      },
    }),
  )
  if (stored === undefined) return reread(ports, connection)
  const { provider, account } = row
  ports.log.warn('Refresh failed', { provider, account, class: failure.class, state: stored.state })
  const opened = ports.connections.put(stored)
  return {
    ok: false,
    connection: opened,
    error: refreshError(ports.providers.get(provider), stored, verdict, ports.clock.now()),
  }
}

/** The row moved under the attempt: whoever moved it wins. */
export async function reread(ports: RefreshPorts, connection: Connection): Promise<RefreshOutcome> {
  const { row } = connection
  const stored = await guard(ports.store.findConnection(row.provider, row.account))
  if (stored === undefined) {
    ports.connections.drop(row)
    const error = new BrokerError('CONSENT_REQUIRED', 'the connection was disconnected meanwhile')
    return { ok: false, connection, error }
  }
  const current = ports.connections.put(stored)
  if (stored.id !== row.id || stored.counter !== row.counter || stored.grantEpoch !== row.grantEpoch) {
    return { ok: true, connection: current }
  }
  const error = new BrokerError('PROVIDER_UNAVAILABLE', 'another refresh of this connection is in flight', {
    retryAfterMs: 1_000,
  })
  return { ok: false, connection: current, error }
}
