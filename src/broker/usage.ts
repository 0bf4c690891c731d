import type { Store } from '../store/store.ts'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import type { Clock, Log } from './ports.ts'

/** When connections were last used is written in batches this often, never while a caller waits. */
const WRITE_INTERVAL_MS = 60_000

/** Remembers when connections were last used. */
export interface Usage {
  touch(connection: Connection): void
  /** Writes what is not stored yet. */
  flush(): Promise<void>
}

/** Creates the usage of the connections of one store. */
export function createUsage(store: Store, connections: Connections, clock: Clock, log: Log): Usage {
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
    touch(connection) {
      const now = clock.now()
      connections.touch(connection, now)
      unwritten.set(connection.row.id, now)
      if (planned) return
      planned = true
      clock.schedule(WRITE_INTERVAL_MS, () => void flush())
    },
  }
}
