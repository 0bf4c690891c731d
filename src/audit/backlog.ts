import type { AuditEntry } from './audit.ts'
import { entryOf } from './entry.ts'

/** Entries kept while they cannot be written; then the oldest goes, and is counted. About 5 MiB. */
const KEPT_MAX = 10_000
/** How soon it is tried again after a failure. */
const RETRY_MS = 1_000
/** Entries of one write. */
const BATCH_MAX = 500

/** What keeping entries needs. */
export interface BacklogPorts {
  readonly write: (entries: readonly AuditEntry[]) => Promise<void>
  readonly now: () => number
  readonly schedule: (ms: number, callback: () => void) => () => void
}

/** Entries of what has happened already: written soon, kept and tried again while that fails. */
export interface Backlog {
  add(entry: AuditEntry): void
  /** Writes what waits. @throws what the store throws */
  flush(): Promise<void>
}

/** Creates an empty backlog. */
export function createBacklog({ write, now, schedule }: BacklogPorts): Backlog {
  let kept: AuditEntry[] = []
  let lost = 0
  let working: Promise<void> | undefined
  let planned = false

  async function writeAll(): Promise<void> {
    // What is noted within one turn of the event loop shares a commit.
    await Promise.resolve()
    while (kept.length > 0) {
      const batch = kept.slice(0, BATCH_MAX)
      const gap = lost
      const loss = entryOf({ event: 'AUDIT_RECORDS_LOST', outcome: 'FAILED', count: Math.max(1, gap) }, now())
      await write(gap > 0 ? [loss, ...batch] : batch)
      lost -= gap
      // Entries may have been dropped from the front meanwhile.
      const written = new Set(batch)
      kept = kept.filter(entry => !written.has(entry))
    }
  }

  async function flush(): Promise<void> {
    working ??= writeAll().finally(() => {
      working = undefined
    })
    try {
      await working
    } catch (error) {
      retryLater()
      throw error
    }
  }

  function retryLater(): void {
    if (planned) return
    planned = true
    schedule(RETRY_MS, () => {
      planned = false
      void flush().catch(() => {})
    })
  }

  return {
    flush,
    add(entry) {
      kept.push(entry)
      if (kept.length > KEPT_MAX) {
        kept.shift()
        lost++
      }
      if (!planned && working === undefined) void flush().catch(() => {})
    },
  }
}
