import type { ConnectionRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import type { Connection } from '../connection.ts'
import type { Clock, Log } from '../ports.ts'

/** When connections were last used is written in batches this often, never while a caller waits. */
const WRITE_INTERVAL_MS = 60_000
/**
 * How many written uses are remembered: rows in memory do not learn of them. Twice as many as there are rows in
 * memory, so that what is forgotten stands in the row that is read next.
 */
const REMEMBERED_MAX = 100_000

/** Remembers when connections were last used. */
export interface Usage {
  /** Notes that a connection is used now. */
  touch(connection: Connection): void
  /**
   * When a connection was last used as far as this process remembers, in milliseconds since the epoch; the row
   * may know of a later use by another process, and knows of older ones.
   */
  lastUsedOf(connectionId: string): number | undefined
  /** Writes what is not stored yet. */
  flush(): Promise<void>
}

/** When a connection was last used as far as anybody knows; a consent counts as a use. */
export function lastUse(
  usage: Pick<Usage, 'lastUsedOf'>,
  { id, lastUsedAt, connectTime }: Pick<ConnectionRow, 'id' | 'lastUsedAt' | 'connectTime'>,
): number {
  return usage.lastUsedOf(id) ?? lastUsedAt ?? connectTime
}

/** Creates the usage of the connections of one store. */
export function createUsage(store: Store, clock: Clock, log: Log): Usage {
  const written = new Map<string, number>()
  let unwritten = new Map<string, number>()
  let planned = false

  function remember(id: string, lastUsedAt: number): void {
    written.delete(id)
    written.set(id, lastUsedAt)
    const oldest = written.keys().next().value
    if (written.size > REMEMBERED_MAX && oldest !== undefined) written.delete(oldest)
  }

  async function flush(): Promise<void> {
    planned = false
    const batch = unwritten
    unwritten = new Map()
    if (batch.size === 0) return
    for (const [id, lastUsedAt] of batch) remember(id, lastUsedAt)
    try {
      await store.touchConnections([...batch].map(([id, lastUsedAt]) => ({ id, lastUsedAt })))
    } catch (error) {
      log.warn('Could not store when connections were last used; it is tried again', { error })
      // What was used since is newer.
      unwritten = new Map([...batch, ...unwritten])
      plan()
    }
  }

  function plan(): void {
    if (planned) return
    planned = true
    clock.schedule(WRITE_INTERVAL_MS, () => void flush())
  }

  return {
    flush,
    lastUsedOf: id => unwritten.get(id) ?? written.get(id),
    touch({ row }) {
      unwritten.set(row.id, clock.now())
      plan()
    },
  }
}
