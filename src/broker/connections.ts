import { adoptedRow } from '../store/attempt-changes.ts'
import type { Keyring } from '../store/keyring.ts'
import type { ScheduleShift } from '../store/queries.ts'
import type { AttemptAdoption, ConnectionRow } from '../store/rows.ts'
import { broughtForwardRow } from '../store/schedule-shift.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { ConnectionName } from './broker.ts'
import type { Changes } from './changes.ts'
import { type Connection, keyOf, OBTAINED_UNKNOWN, openConnection, sentAtBy } from './connection.ts'
import { BrokerError } from './errors.ts'
import type { Clock } from './ports.ts'
import type { Usage } from './renewal/usage.ts'
import type { WallClock } from './renewal/wall-clock.ts'

/** How many connections, known or known to be absent, stay in memory; about 3 KiB each. */
const IN_MEMORY_MAX = 50_000

/**
 * The connections in memory, over the store. What is in memory is what is stored: every write of this process
 * puts its row back here, and what another process wrote is forgotten. Each of these publishes a change.
 */
export interface Connections {
  /** From memory alone: `undefined` = not in memory, `null` = known not to be connected. */
  peek(name: ConnectionName): Connection | null | undefined
  /** From memory or the store; `null` = not connected. */
  load(name: ConnectionName): Promise<Connection | null>
  /**
   * From the store, whatever is in memory; `null` = not connected. What was read is kept, unless it was forgotten
   * while it was read.
   */
  reread(name: ConnectionName): Promise<Connection | null>
  /**
   * Takes a row that was just read or written.
   *
   * @param sentMonotonic when the request that brought its access token was sent, on the monotonic clock;
   *   without it the remaining life is read off the wall clock
   */
  put(row: ConnectionRow, sentMonotonic?: number): Connection
  /** Notes that a connection is gone; an answer about it that comes late does not bring it back. */
  drop(row: ConnectionName & Pick<ConnectionRow, 'id'>): void
  /** What the store did by the same name, for the rows in memory. */
  bringForward(shift: ScheduleShift): void
  /** The same for attempts that nobody holds any more. */
  adopt(adoption: AttemptAdoption): void
  /** Notes that another process has written a connection: it is read anew. */
  forget(name: ConnectionName): void
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly changes: Changes
  readonly usage: Pick<Usage, 'lastUsedOf'>
  readonly wallClock: Pick<WallClock, 'known' | 'isUntold' | 'isBehind' | 'isAhead'>
  readonly clock: Clock
  /** Reads the keys anew; resolves to whether one came that was not known. Default: none ever does. */
  readonly reloadKeys?: () => Promise<boolean>
}

/** Creates the connections of one store. */
export function createConnections(ports: Ports): Connections {
  const { store, keyring, changes, usage, wallClock, clock } = ports
  const memory = new Map<string, Connection | null>()
  /** The ids of those that are gone, as long as that is in memory. */
  const gone = new Map<string, string>()
  let forgotten = 0
  /** What was forgotten and not read since: the answer to a write may be older than what another process wrote. */
  const unread = new Set<string>()

  function clear(key: string): void {
    memory.delete(key)
    gone.delete(key)
  }

  function remember<T extends Connection | null>(name: ConnectionName, connection: T): T {
    const key = keyOf(name)
    clear(key)
    memory.set(key, connection)
    if (memory.size > IN_MEMORY_MAX) {
      const oldest = memory.keys().next().value
      if (oldest !== undefined) clear(oldest)
    }
    return connection
  }

  const peek = (name: ConnectionName) => memory.get(keyOf(name))
  /** A wall clock that was set back tells no age: what could have expired has. */
  const isAgeUnknown = ({ obtainedAt }: ConnectionRow) =>
    wallClock.isBehind() || wallClock.isAhead(obtainedAt)
  const ageUnknown = (row: ConnectionRow) =>
    wallClock.isUntold() || isAgeUnknown(row) ? Number.NEGATIVE_INFINITY : undefined

  function change(next: (known: Connection) => Connection | undefined): void {
    for (const [key, known] of memory) {
      const changed = known && next(known)
      if (changed) memory.set(key, changed)
    }
  }

  function take(row: ConnectionRow, sentMonotonic?: number): Connection {
    const known = peek(row)
    // A read that was overtaken by a write must not bring the older row back.
    if (known && known.row.id === row.id && known.row.counter > row.counter) return known
    const anchor = sentMonotonic ?? (known && sameToken(known, row) ? known.sentMonotonic : ageUnknown(row))
    // Uses are written late: memory knows of newer ones than the store.
    const lastUsedAt = Math.max(usage.lastUsedOf(row.id) ?? 0, row.lastUsedAt ?? 0) || undefined
    const connection = openConnection({ ...row, lastUsedAt }, keyring, clock, anchor)
    if (unread.has(keyOf(row))) clear(keyOf(row))
    else if (gone.get(keyOf(row)) !== row.id) remember(row, connection)
    return connection
  }

  /** What was read is newer than whatever made it be forgotten. */
  function takeRead(row: ConnectionRow): Connection {
    unread.delete(keyOf(row))
    return take(row)
  }

  /** What is not current may have been forgotten while it was read: good enough to answer once, not to be kept. */
  async function read({ provider, account }: ConnectionName) {
    await guard(wallClock.known())
    const before = forgotten
    const row = await guard(store.findConnection(provider, account))
    return { row, isCurrent: forgotten === before }
  }

  /** What was sent nobody knows when counts from the wall clock's beginning, which has moved, too. */
  function rebased({ row: { obtainedAt, expiresAt = 0 }, sentMonotonic }: Connection, row: ConnectionRow) {
    // Read before the store was told that the clock was set back: now its age can be told.
    if (sentMonotonic === Number.NEGATIVE_INFINITY && !isAgeUnknown(row))
      return sentAtBy(clock, row.obtainedAt)
    return obtainedAt === OBTAINED_UNKNOWN ? sentMonotonic + expiresAt - (row.expiresAt ?? 0) : sentMonotonic
  }

  const openOnce = (row: ConnectionRow | undefined) =>
    row === undefined ? null : openConnection(row, keyring, clock, ageUnknown(row))

  /** Another process may have made the key since this one read them. */
  const reload = async () => ports.reloadKeys?.() ?? false

  return {
    peek,
    put(row, sentMonotonic) {
      const connection = take(row, sentMonotonic)
      changes.publish(row)
      return connection
    },
    drop(row) {
      const known = peek(row)
      // What ended may have been followed by another connection of the same name.
      if (known && known.row.id !== row.id) return
      remember(row, null)
      gone.set(keyOf(row), row.id)
      changes.publish(row)
    },
    bringForward: shift =>
      change(known => {
        const row = broughtForwardRow(known.row, shift)
        return { ...known, row, sentMonotonic: rebased(known, row) }
      }),
    adopt: adoption =>
      change(known => {
        const row = adoptedRow(known.row, adoption)
        return row && { ...known, row }
      }),
    forget(name) {
      forgotten++
      clear(keyOf(name))
      unread.add(keyOf(name))
      const [oldest] = unread
      if (unread.size > IN_MEMORY_MAX && oldest !== undefined) unread.delete(oldest)
      changes.publish(name)
    },
    async load(name) {
      const known = peek(name)
      if (known !== undefined) return known
      const { row, isCurrent } = await read(name)
      // Something may have been written while the store was read.
      const meanwhile = peek(name)
      if (meanwhile !== undefined) return meanwhile
      if (!isCurrent) return openOnce(row)
      if (row === undefined) return remember(name, null)
      const connection = takeRead(row)
      const isKeyUnknown = connection.unreadable?.reason === 'unknown_key'
      return isKeyUnknown && (await guard(reload())) ? take(row) : connection
    },
    async reread(name) {
      const { row, isCurrent } = await read(name)
      if (row === undefined || !isCurrent) return openOnce(row)
      const connection = takeRead(row)
      changes.publish(row)
      return connection
    },
  }
}

function sameToken(known: Connection, row: ConnectionRow): boolean {
  return known.row.id === row.id && known.row.version === row.version
}

/** Waits for the store; trouble there is BROKER_UNAVAILABLE to a caller. */
export async function guard<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (cause) {
    throw cause instanceof StoreError ? storeUnavailable(cause) : cause
  }
}

/** The store cannot be used now. */
export function storeUnavailable(cause: unknown): BrokerError {
  return new BrokerError(
    'BROKER_UNAVAILABLE',
    'the broker cannot use its store right now; nothing was lost',
    {
      retryAfterMs: 1_000,
      cause,
    },
  )
}
