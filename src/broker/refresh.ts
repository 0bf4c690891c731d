import type { TokenAnswer } from '../oauth/answer.ts'
import type { Result } from '../oauth/failure.ts'
import type { Definition } from '../providers/definition.ts'
import { type Connection, lifetimeLeft } from './connection.ts'
import { guard } from './connections.ts'
import type { Clock } from './ports.ts'
import { hasMoved, type ProviderHandle } from './providers.ts'
import { refreshError } from './refresh-error.ts'
import {
  commit,
  fail,
  type RefreshOutcome,
  type RefreshPorts,
  reread,
  settleWithout,
} from './refresh-outcome.ts'

/** A store with one writer needs no lease; its name stays the same over restarts. */
const LEASE_OWNER = 'local'

/** Refreshes connections, at most once at a time each. */
export interface Refresher {
  /**
   * Refreshes, or joins the refresh in flight. Nothing that a caller does ends it: the request goes on to its
   * hard deadline, and its tokens are stored before anybody is answered.
   *
   * @throws BrokerError `BROKER_UNAVAILABLE` if the intent cannot be stored (then nothing was sent)
   */
  refresh(connection: Connection): Promise<RefreshOutcome>
  /** Whether a refresh of that connection is in flight. */
  isRefreshing(connectionId: string): boolean
  /** Resolves when no refresh is in flight. */
  settled(): Promise<void>
}

/** Creates the refresher. */
export function createRefresher(ports: RefreshPorts): Refresher {
  const inFlight = new Map<string, Promise<RefreshOutcome>>()

  function refresh(connection: Connection): Promise<RefreshOutcome> {
    const { id } = connection.row
    const running = inFlight.get(id)
    if (running !== undefined) return running
    const attempt = attemptRefresh(ports, connection).finally(() => inFlight.delete(id))
    inFlight.set(id, attempt)
    return attempt
  }

  return {
    refresh,
    isRefreshing: id => inFlight.has(id),
    async settled() {
      while (inFlight.size > 0) await Promise.allSettled(inFlight.values())
    },
  }
}

async function attemptRefresh(ports: RefreshPorts, connection: Connection): Promise<RefreshOutcome> {
  const handle = ports.providers.get(connection.row.provider)
  const { row } = connection
  const admission = handle.health.admit()
  if (!admission.admitted) {
    return { ok: false, connection, error: refreshError(handle, row, admission, ports.clock.now()) }
  }
  const found = await handle.client.definition()
  if (found.ok && hasMoved(handle, found.value, row)) {
    return {
      ok: false,
      connection,
      error: refreshError(handle, row, { admitted: false, why: 'moved' }, ports.clock.now()),
    }
  }

  const base = { id: row.id, grantEpoch: row.grantEpoch, counter: row.counter }
  const attemptId = ports.random.token(16)
  const now = ports.clock.now()
  const begun = await guard(
    ports.store.beginAttempt({ ...base, attemptId, now, leaseOwner: LEASE_OWNER, leaseUntil: now }),
  )
  if (!begun) return reread(ports, connection)
  if (nothingLeft(handle, connection, ports.clock)) return settleWithout(ports, connection, base, attemptId)

  const sentMonotonic = ports.clock.monotonic()
  const result = await send(handle, connection, found)
  return result.ok
    ? commit(ports, connection, base, result.value, sentMonotonic)
    : fail(ports, connection, base, attemptId, result.failure)
}

async function send(
  handle: ProviderHandle,
  { row, tokens }: Connection,
  found: Result<Definition>,
): Promise<Result<TokenAnswer>> {
  handle.health.begin()
  const { requestedScopes: scopes, variables, attributes, providerAccountId } = row
  const input = { ...tokens, scopes, variables, attributes, providerAccountId }
  // Without the definition nobody knows whether the endpoint moved, so nothing may be sent.
  const result = found.ok ? await handle.client.refresh(input) : found
  if (result.ok) handle.health.succeeded()
  else handle.health.failed(result.failure)
  return result
}

function nothingLeft(handle: ProviderHandle, connection: Connection, clock: Clock): boolean {
  if (handle.provider.definition.refresh.mode !== 'refresh_token') return false
  const left = lifetimeLeft(connection, clock)
  return connection.tokens?.refreshToken === undefined && left !== undefined && left <= 0
}
