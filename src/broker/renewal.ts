import type { ConnectionRow, RevocationRow } from '../store/rows.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { ConnectionName } from './broker.ts'
import type { Connections } from './connections.ts'
import { BrokerError } from './errors.ts'
import { createLanes } from './lanes.ts'
import type { Clock, Log, Random } from './ports.ts'
import type { Providers } from './providers.ts'
import type { Refresher } from './refresh.ts'
import type { Revocations } from './revocation.ts'
import { nextRefresh } from './schedule.ts'

/** How often the index of due connections is looked at; a token's margin is at least as long as that, or half its life. */
const TICK_MS = 1_000
/** How many due connections, and how many due revocations, one look takes beside those that are worked on. */
const BATCH_MAX = 100
/** And no more than that in all: a look has to be quick. */
const LOOK_MAX = 2_000
/** More attempts than that are never in flight when a process dies. */
const INTERRUPTED_MAX = 10_000
/** Revocations at one provider go one after another. */
const REVOCATIONS_AT_ONCE = 1
/**
 * When a connection is looked at again that cannot be renewed now: its provider is gone from the
 * configuration, moved, or refuses our client. Until then it leaves its place to others.
 */
const POSTPONE_MS = 600_000

/** Renews connections before their tokens expire, and settles what a crash or an outage left. */
export interface Renewer {
  start(): void
  /** Starts nothing new; resolves when what is under way has ended. */
  stop(): Promise<void>
  /** Why the last look at the store failed; absent = it worked. */
  storeTrouble(): string | undefined
}

interface Ports {
  readonly store: Store
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly revocations: Revocations
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Creates the renewer; nothing happens before `start`. */
export function createRenewer(ports: Ports): Renewer {
  const { store, providers, revocations, clock, log } = ports
  const renewals = createLanes<ConnectionRow>(
    provider => (providers.has(provider) ? providers.get(provider).provider.limits.concurrency : 1),
    row => observed(row, () => renewOne(ports, row)),
  )
  const endings = createLanes<RevocationRow>(
    () => REVOCATIONS_AT_ONCE,
    entry => observed(entry, () => revocations.settle(entry)),
  )
  let look: Promise<void> = Promise.resolve()
  let cancel: (() => void) | undefined
  let stopped = true
  let recovered = false
  let storeError: unknown
  let trouble: string | undefined

  /** Trouble with one connection is not trouble with the others, unless it is the store's. */
  async function observed(about: ConnectionName, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const { provider, account } = about
      // The next look reports the store, once for all of them.
      if (isStoreTrouble(error)) storeError = error
      else log.error('Background work on a connection failed', { provider, account, error })
    }
  }

  function renew(rows: readonly ConnectionRow[]): void {
    if (stopped) return
    for (const row of rows) renewals.add(row.provider, row.id, row)
  }

  async function tick(): Promise<void> {
    try {
      if (!recovered) renew(await store.listInterruptedAttempts(INTERRUPTED_MAX))
      recovered = true
      // Those at work are still listed: beside them there is room for others.
      const room = (working: number) => Math.min(BATCH_MAX + working, LOOK_MAX)
      renew(await store.listDueConnections(clock.now(), room(renewals.size())))
      const due = await store.listDueRevocations(clock.now(), room(endings.size()))
      if (!stopped) for (const entry of due) endings.add(entry.provider, entry.id, entry)
    } catch (error) {
      storeError = error
    }
    trouble = storeError === undefined ? undefined : 'the store cannot be used'
    if (storeError !== undefined)
      log.error('The store cannot be used, so renewals wait', { error: storeError })
    storeError = undefined
    plan()
  }

  function plan(): void {
    if (stopped) return
    cancel = clock.schedule(TICK_MS, () => {
      look = tick()
    })
  }

  return {
    storeTrouble: () => trouble,
    start() {
      if (!stopped) return
      stopped = false
      look = tick()
    },
    async stop() {
      stopped = true
      cancel?.()
      await Promise.all([look, renewals.stop(), endings.stop()])
    },
  }
}

function isStoreTrouble(error: unknown): boolean {
  return (
    error instanceof StoreError || (error instanceof BrokerError && error.reason === 'BROKER_UNAVAILABLE')
  )
}

async function renewOne(ports: Ports, listed: ConnectionRow): Promise<void> {
  const { connections, providers, clock, random } = ports
  const later = clock.now() + POSTPONE_MS
  if (!providers.has(listed.provider)) return reschedule(ports, listed, later)
  // What is in memory is newer than the list.
  const connection = await connections.load(listed)
  if (connection === null) return
  const { row, tokens } = connection
  if (tokens === undefined) return reschedule(ports, row, later)
  // While it waited for its turn, somebody else may have refreshed it, or tried to.
  if (row.attemptId === undefined && (row.nextRefreshAt ?? later) > clock.now()) return

  const { refresh } = providers.get(row.provider).client.written
  const hasRefreshToken = row.sealedRefreshToken !== undefined
  const input = { ...row, lastUsedAt: row.lastUsedAt ?? row.connectTime, hasRefreshToken }
  const mustTry = row.attemptId !== undefined || row.lastError !== undefined
  // What was due by an older use may not be due any more, even with all the jitter there is.
  const earliest = nextRefresh(refresh, input, clock.now(), 1)
  if (!mustTry && (earliest === undefined || earliest > clock.now())) {
    return reschedule(ports, row, nextRefresh(refresh, input, clock.now(), random.fraction()))
  }
  const outcome = await ports.refresher.refresh(connection)
  const { nextRefreshAt } = outcome.connection.row
  const isStillDue = !outcome.ok && nextRefreshAt !== undefined && nextRefreshAt <= clock.now()
  if (!isStillDue) return
  const { retryAfterMs = POSTPONE_MS } = outcome.error.details
  return reschedule(ports, outcome.connection.row, clock.now() + retryAfterMs)
}

async function reschedule(
  { store, connections }: Ports,
  { id, grantEpoch, counter }: ConnectionRow,
  at: number | undefined,
): Promise<void> {
  const stored = await store.enrichConnection({ id, grantEpoch, counter }, { nextRefreshAt: at ?? null })
  if (stored !== undefined) connections.put(stored)
}
