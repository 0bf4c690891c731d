/** How often it is looked whether something is too old; the first time soon after the start. */
const INTERVAL_MS = 3_600_000
const FIRST_MS = 60_000
/** Records of one removal: some 10 ms, in which nothing else happens. */
const BATCH_MAX = 200
/** Between two removals, so that others come in between. */
const PAUSE_MS = 50

/** What removing old records needs. */
export interface RetentionPorts {
  readonly store: { pruneAudit(before: number, limit: number): Promise<number> }
  /** Milliseconds that records are kept. */
  readonly retentionMs: number
  readonly now: () => number
  readonly schedule: (ms: number, callback: () => void) => () => void
  readonly log: {
    info(message: string, fields?: Readonly<Record<string, unknown>>): void
    warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  }
}

/**
 * Removes records and releases that are older than they are kept, in batches, from time to time.
 *
 * @returns ends it
 */
export function startRetention({ store, retentionMs, now, schedule, log }: RetentionPorts): () => void {
  let cancel = schedule(FIRST_MS, () => void sweep(0))

  async function sweep(before: number): Promise<void> {
    try {
      const removed = await store.pruneAudit(now() - retentionMs, BATCH_MAX)
      const total = before + removed
      if (removed > 0) cancel = schedule(PAUSE_MS, () => void sweep(total))
      else finish(total)
    } catch (error) {
      log.warn('Could not remove old audit records; it is tried again', { error })
      finish(0)
    }
  }

  function finish(total: number): void {
    if (total > 0) log.info('Removed old audit records', { records: total })
    cancel = schedule(INTERVAL_MS, () => void sweep(0))
  }

  return () => {
    cancel()
    cancel = () => {}
  }
}
