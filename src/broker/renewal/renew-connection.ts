import type { ConnectionRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { type Connection, OBTAINED_UNKNOWN } from '../connection.ts'
import type { Connections } from '../connections.ts'
import type { Urgency } from '../governor/governor.ts'
import type { Clock, Log, Random } from '../ports.ts'
import type { Providers } from '../providers.ts'
import type { Refresher } from '../refresh/refresher.ts'
import { REFRESH_TOKEN_KEPT_MS } from '../refresh/verdict.ts'
import { nextRefresh } from './schedule.ts'
import { lastUse, type Usage } from './usage.ts'
import type { WallClock } from './wall-clock.ts'

/** When a connection is looked at again that cannot be renewed as things are: its tokens do not open, or its client or endpoint moved. */
const POSTPONE_MS = 600_000

/** What planning a renewal needs. */
export interface PlanPorts {
  readonly store: Store
  readonly connections: Connections
  readonly providers: Providers
  readonly usage: Pick<Usage, 'lastUsedOf'>
  readonly clock: Clock
  readonly random: Random
}

/** What renewing one connection needs. */
export interface RenewPorts extends PlanPorts {
  readonly refresher: Refresher
  readonly wallClock: Pick<WallClock, 'hasJumped'>
  /** Who this process is among those that share the store; absent = it is the only one. */
  readonly replica?: string
  readonly log: Log
}

/** Does with a due connection what is due: renews it, puts it off if nobody uses it, forgets a long dead grant. */
export async function renewConnection(
  ports: RenewPorts,
  listed: ConnectionRow,
  urgency: Urgency,
): Promise<void> {
  const { connections, clock } = ports
  // What is in memory is newer than the list, unless others write, too.
  const connection =
    ports.replica === undefined ? await connections.load(listed) : await connections.reread(listed)
  if (connection === null) return
  const { row, tokens } = connection
  const now = clock.now()
  if (tokens === undefined) return reschedule(ports, row, now + POSTPONE_MS)
  // While the list was read, somebody else may have refreshed it, or tried to.
  if (row.nextRefreshAt === undefined || row.nextRefreshAt > now) return
  if (isForgotten(ports, row)) return forget(ports, row)

  if (isPlannedByUse(row)) {
    // What was due by an older use may not be due any more, even with all the jitter there is.
    const earliest = dueAt(ports, connection, 1)
    if (earliest === undefined || earliest > now) {
      return reschedule(ports, row, dueAt(ports, connection, ports.random.fraction()))
    }
  }
  const outcome = await ports.refresher.refresh(connection, urgency)
  if (!outcome.ok) await postponeMoved(ports, outcome.connection, outcome.error.reason)
}

/**
 * Brings the renewal forward of a connection that was planned as if nobody used it.
 *
 * @throws StoreError
 */
export async function renewInTime(ports: PlanPorts, connection: Connection): Promise<void> {
  const { row } = connection
  if (!isPlannedByUse(row)) return
  const at = dueAt(ports, connection, ports.random.fraction())
  if (at === undefined || at >= (row.nextRefreshAt ?? Number.POSITIVE_INFINITY)) return
  // Another process that looks at it once it is due would put it off again.
  await ports.store.touchConnections([{ id: row.id, lastUsedAt: lastUse(ports.usage, row) }])
  await reschedule(ports, row, at)
}

/** Whether its tokens' age and its last use decide when it is refreshed next, and no failure does. */
function isPlannedByUse(row: ConnectionRow): boolean {
  const isFirstTry = row.lastError === undefined && row.outcomeUnknownSince === undefined && !row.suspect
  // Of an imported token without a known end no use tells when it is due: it was made due at once.
  const isOfUnknownEnd = row.obtainedAt === OBTAINED_UNKNOWN && row.expiresAt === undefined
  return isFirstTry && row.state === 'ACTIVE' && !isOfUnknownEnd
}

function dueAt(
  { providers, usage, clock }: PlanPorts,
  { row, sentMonotonic }: Connection,
  fraction: number,
): number | undefined {
  const { refresh } = providers.get(row.provider).client.written
  const lastUsedAt = lastUse(usage, row)
  const hasRefreshToken = row.sealedRefreshToken !== undefined
  const now = clock.now()
  // By a clock that was set back since, the tokens are older than they say.
  const olderBy = row.obtainedAt - (now - (clock.monotonic() - sentMonotonic))
  if (olderBy === Number.POSITIVE_INFINITY) return now
  const planned = nextRefresh(refresh, { ...row, lastUsedAt, hasRefreshToken }, now, fraction)
  return planned && planned - Math.max(0, olderBy)
}

/** A clock that has jumped is no reason to throw anything away. */
function isForgotten({ clock, wallClock }: RenewPorts, { state, stateSince }: ConnectionRow): boolean {
  const isOver = clock.now() >= stateSince + REFRESH_TOKEN_KEPT_MS
  return state === 'REAUTH_REQUIRED' && isOver && !wallClock.hasJumped()
}

async function forget({ store, connections, log }: RenewPorts, row: ConnectionRow): Promise<void> {
  const stored = await store.forgetRefreshToken(row)
  if (stored === undefined) return
  connections.put(stored)
  const { provider, account } = row
  log.warn('Forgot the refresh token of a grant that has been dead for 30 days', { provider, account })
}

/** A connection whose client or endpoint moved is not asked for again and again; a closed provider is not looked at anyway. */
async function postponeMoved(ports: RenewPorts, { row }: Connection, reason: string): Promise<void> {
  const now = ports.clock.now()
  const isStillDue = row.nextRefreshAt !== undefined && row.nextRefreshAt <= now
  const { governor } = ports.providers.get(row.provider)
  const isStuck = reason === 'PROVIDER_MISCONFIGURED' || reason === 'NO_REFRESH_TOKEN'
  if (isStillDue && isStuck && governor.room() > 0) {
    await reschedule(ports, row, now + POSTPONE_MS)
  }
}

async function reschedule(
  { store, connections }: PlanPorts,
  { id, grantEpoch, counter }: ConnectionRow,
  at: number | undefined,
): Promise<void> {
  const stored = await store.enrichConnection({ id, grantEpoch, counter }, { nextRefreshAt: at ?? null })
  if (stored !== undefined) connections.put(stored)
}
