import type { Store } from '../store/store.ts'
import type { Connection } from './connection.ts'
import type { Clock, Log } from './ports.ts'

/** When connections were last used is written in batches this often, never while a caller waits. */
const WRITE_INTERVAL_MS = 60_000

/** Remembers when connections were last used. */
export interface Usage {
  touch(connection: Connection): void
  /** Milliseconds since the epoch; what is stored if there is nothing newer in memory. */
  lastUsed(row: Connection['row']): number
  /** Writes what is not stored yet. */
  flush(): Promise<void>
}

/** Creates the usage over one store. */
export function createUsage(store: Store, clock: Clock, log: Log): Usage {
  let unwritten = new Map<string, number>()
  let planned = false

  async function flush(): Promise<void> {
    planned = false
    const batch = unwritten
    unwritten = new Map()
    if (batch.size === 0) return
    try {
      await store.touchConnections([...batch].map(([id, lastUsedAt]) => ({ id, lastUsedAt })))
    } catch (error) {
      log.warn('Could not store when connections were last used', { error })
    }
  }

  return {
    flush,
    lastUsed: row => unwritten.get(row.id) ?? row.lastUsedAt ?? row.connectTime,
    touch({ row }) {
      unwritten.set(row.id, clock.now())
      if (planned) return
      planned = true
      clock.schedule(WRITE_INTERVAL_MS, () => void flush())
    },
  }
}
