import type { ConnectionRow, RevocationRow } from '../../store/rows.ts'
import { type Store, StoreError } from '../../store/store.ts'
import type { ConnectionName } from '../broker.ts'
import type { Changes } from '../changes.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log } from '../ports.ts'
import type { ProviderHandle, Providers } from '../providers.ts'
import type { Leases } from '../refresh/lease.ts'
import type { PendingCommits } from '../refresh/pending-commits.ts'
import type { Refresher } from '../refresh/refresher.ts'
import type { Revocations } from '../revocation/revocations.ts'
import { createLanes } from './lanes.ts'
import { type RenewPorts, renewConnection } from './renew-connection.ts'
import type { WallClock } from './wall-clock.ts'

/** How often the index of due connections is looked at; what this process makes due earlier is looked at in time. */
const TICK_MS = 1_000
/** Looks that follow each other are at least that far apart, however many connections ask for one. */
const TICK_MIN_MS = 50
/** How many due revocations one look takes beside those that are worked on, and how many are known in all. */
const REVOCATION_BATCH_MAX = 100
const REVOCATIONS_MAX = 2_000
/** Revocations at one provider go one after another. */
const REVOCATIONS_AT_ONCE = 1

/** Renews connections before their tokens expire, and settles what a crash or an outage left. */
export interface Renewer {
  /** What a former run left undone. A store that cannot be written now is tried again in the background. */
  recover(): Promise<void>
  start(): void
  /** From now on only refreshes whose outcome is unknown are begun: the next start may be too late for them. */
  rest(): void
  /** Starts nothing new; resolves when what is under way has ended. */
  stop(): Promise<void>
  /** Why the last look at the store failed; absent = it worked. */
  storeTrouble(): string | undefined
}

interface Ports extends RenewPorts {
  readonly store: Store
  readonly providers: Providers
  readonly refresher: Refresher
  readonly pending: PendingCommits
  readonly revocations: Revocations
  readonly wallClock: WallClock
  readonly changes: Changes
  readonly leases: Pick<Leases, 'noteOutage' | 'mayTakeOver' | 'isHeldByOther'>
  readonly clock: Clock
  readonly log: Log
}

/** Creates the renewer; nothing happens before `start`. */
export function createRenewer(ports: Ports): Renewer {
  const { store, providers, refresher, revocations, leases, clock, log } = ports
  const running = new Set<Promise<void>>()
  const endings = createLanes<RevocationRow>(
    () => REVOCATIONS_AT_ONCE,
    entry => observed(entry, () => revocations.settle(entry)),
  )
  let look: Promise<void> = Promise.resolve()
  let cancel = () => {}
  let unwatch = () => {}
  let lookAt = Number.POSITIVE_INFINITY
  let stopped = true
  let resting = false
  let isSpoolRead = false
  let isAdopted = false
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

  async function recover(): Promise<void> {
    try {
      await settleFormerRun()
    } catch (error) {
      storeError = error
      log.error('Could not recover what the last run left; it is tried again', { error })
    }
  }

  /** What a former run left, each part until it is done; nothing is renewed before. */
  async function settleFormerRun(): Promise<void> {
    try {
      await ports.wallClock.start()
    } finally {
      // Whatever the store answers: the spool may hold the only refresh token that works.
      if (!isSpoolRead) await ports.pending.recover()
      isSpoolRead = true
    }
    await adopt()
  }

  /** What was planned and told on a clock that has been set back would come too late by that much. */
  async function bringForward(): Promise<void> {
    const shift = ports.wallClock.setBack()
    if (shift === undefined) return
    await store.bringForward(shift)
    ports.connections.bringForward(shift)
    await ports.wallClock.caughtUp(shift)
  }

  /** Attempts that died with their process come before everything else. */
  async function adopt(): Promise<void> {
    const isAlone = ports.replica === undefined
    if (isAlone ? isAdopted : !leases.mayTakeOver()) return
    const adoption = { now: clock.now(), leases: isAlone ? 'all' : 'expired' } as const
    const adopted = await store.adoptAttempts(adoption)
    if (adopted > 0) {
      // Callers may have had them read before the store could be written.
      ports.connections.adopt(adoption)
      log.warn('Refreshes were interrupted; they are tried again first', { count: adopted })
    }
    isAdopted = true
  }

  async function renewDue(handle: ProviderHandle, outcomeUnknown: boolean): Promise<void> {
    const urgency = outcomeUnknown ? 'recovery' : 'renewal'
    const room = handle.governor.room(urgency)
    if (room <= 0 || stopped) return
    const { rows, isMoreThanFits } = await listDue(handle.provider.id, room, outcomeUnknown)
    for (const row of rows) {
      const work = observed(row, () => renewConnection(ports, row, urgency))
      running.add(work)
      void work.finally(() => {
        running.delete(work)
        if (isMoreThanFits) plan(0)
      })
    }
  }

  /**
   * The most overdue at which nobody is at work. Those at which somebody is are listed by the store, too, but are only
   * as many as are in flight here and elsewhere or wait in the spool, so that a longer list ends among others.
   */
  async function listDue(provider: string, room: number, outcomeUnknown: boolean) {
    for (let limit = room + refresher.inFlight(provider); ; limit *= 2) {
      const listed = await store.listDueConnections({ provider, before: clock.now(), limit, outcomeUnknown })
      const rows = listed.filter(isIdle).slice(0, room)
      const isMoreThanFits = listed.length === limit
      if (rows.length === room || !isMoreThanFits) return { rows, isMoreThanFits }
    }
  }

  function isIdle(row: ConnectionRow): boolean {
    return !refresher.isRefreshing(row.id) && !ports.pending.has(row.id) && !leases.isHeldByOther(row)
  }

  async function settleRevocations(): Promise<void> {
    const limit = Math.min(REVOCATION_BATCH_MAX + endings.size(), REVOCATIONS_MAX)
    const due = await store.listDueRevocations(clock.now(), limit)
    if (!stopped) for (const entry of due) endings.add(entry.provider, entry.id, entry)
  }

  async function tick(): Promise<void> {
    try {
      await settleFormerRun()
      await ports.wallClock.look()
      await bringForward()
      for (const handle of providers.all()) await renewDue(handle, true)
      if (!resting) {
        for (const handle of providers.all()) await renewDue(handle, false)
        await settleRevocations()
      }
    } catch (error) {
      storeError = error
    }
    trouble = storeError === undefined ? undefined : 'the store cannot be used'
    if (storeError !== undefined) {
      leases.noteOutage()
      log.error('The store cannot be used, so renewals wait', { error: storeError })
    }
    storeError = undefined
    lookAt = Number.POSITIVE_INFINITY
    plan(TICK_MS)
  }

  /** Looks after that time, or earlier if that is planned already. */
  function plan(ms: number): void {
    const at = clock.monotonic() + Math.max(ms, TICK_MIN_MS)
    if (stopped || at >= lookAt) return
    cancel()
    lookAt = at
    cancel = clock.schedule(at - clock.monotonic(), () => {
      // None is planned while it runs: what changes meanwhile is in the next.
      lookAt = Number.NEGATIVE_INFINITY
      look = tick()
    })
  }

  /** A retry of an unknown outcome comes sooner than the next look. */
  function hasten(name: ConnectionName): void {
    ports.wallClock.observe()
    const due = ports.connections.peek(name)?.row.nextRefreshAt
    if (due !== undefined) plan(due - clock.now())
  }

  return {
    recover,
    storeTrouble: () => trouble,
    start() {
      if (!stopped) return
      stopped = false
      resting = false
      lookAt = Number.NEGATIVE_INFINITY
      unwatch = ports.changes.watchAll(hasten)
      look = tick()
    },
    rest() {
      resting = true
    },
    async stop() {
      stopped = true
      unwatch()
      cancel()
      await Promise.all([look, endings.stop(), ...running])
    },
  }
}

function isStoreTrouble(error: unknown): boolean {
  return (
    error instanceof StoreError || (error instanceof BrokerError && error.reason === 'BROKER_UNAVAILABLE')
  )
}
