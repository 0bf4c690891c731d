import type { Keyring } from '../store/keyring.ts'
import type { ConnectionRow } from '../store/rows.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { ConnectionName } from './broker.ts'
import { type Connection, openConnection } from './connection.ts'
import { BrokerError } from './errors.ts'
import type { Clock } from './ports.ts'

/** How many connections, known or known to be absent, stay in memory; about 3 KiB each. */
const IN_MEMORY_MAX = 50_000

/**
 * The connections in memory, over the store. This process is the only writer of its store, so what is in
 * memory is what is stored; every write puts its row back here.
 */
export interface Connections {
  /** From memory alone: `undefined` = not in memory, `null` = known not to be connected. */
  peek(name: ConnectionName): Connection | null | undefined
  /** From memory or the store; `null` = not connected. */
  load(name: ConnectionName): Promise<Connection | null>
  /**
   * Takes a row that was just read or written.
   *
   * @param sentMonotonic when the request that brought its access token was sent, on the monotonic clock;
   *   without it the remaining life is read off the wall clock
   */
  put(row: ConnectionRow, sentMonotonic?: number): Connection
  /** Notes in memory when a connection was used; writing it is somebody else's. */
  touch(connection: Connection, lastUsedAt: number): void
  /** Notes that a connection is gone. */
  drop(name: ConnectionName): void
}

/** Creates the connections of one store. */
export function createConnections(store: Store, keyring: Keyring, clock: Clock): Connections {
  const memory = new Map<string, Connection | null>()

  function remember<T extends Connection | null>(name: ConnectionName, connection: T): T {
    const key = keyOf(name)
    memory.delete(key)
    memory.set(key, connection)
    if (memory.size > IN_MEMORY_MAX) {
      const oldest = memory.keys().next().value
      if (oldest !== undefined) memory.delete(oldest)
    }
    return connection
  }

  const peek = (name: ConnectionName) => memory.get(keyOf(name))

  function put(row: ConnectionRow, sentMonotonic?: number): Connection {
    const known = peek(row)
    // A read that was overtaken by a write must not bring the older row back.
    if (known && known.row.id === row.id && known.row.counter > row.counter) return known
    const anchor = sentMonotonic ?? (known && sameToken(known, row) ? known.sentMonotonic : undefined)
    // Uses are written late: memory knows of newer ones than the store.
    const used = known && known.row.id === row.id ? known.row.lastUsedAt : undefined
    const lastUsedAt = Math.max(used ?? 0, row.lastUsedAt ?? 0) || undefined
    return remember(row, openConnection({ ...row, lastUsedAt }, keyring, clock, anchor))
  }

  return {
    peek,
    put,
    touch({ row }, lastUsedAt) {
      const known = peek(row)
      if (known?.row.id !== row.id) return
      memory.set(keyOf(row), { ...known, row: { ...known.row, lastUsedAt } })
    },
    drop: name => void remember(name, null),
    async load(name) {
      const known = peek(name)
      if (known !== undefined) return known
      const row = await guard(store.findConnection(name.provider, name.account))
      // Something may have been written while the store was read.
      const meanwhile = peek(name)
      if (meanwhile !== undefined) return meanwhile
      return row === undefined ? remember(name, null) : put(row)
    },
  }
}

function sameToken(known: Connection, row: ConnectionRow): boolean {
  return known.row.id === row.id && known.row.version === row.version
}

function keyOf({ provider, account }: ConnectionName): string {
  return `${provider}\n${account}`
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
