import type { AuditEntry } from './audit.ts'
import { lineOf } from './line.ts'

/** How soon new records are copied. */
const INTERVAL_MS = 1_000
/** After a failure it is tried again this soon, twice as late each time up to the longest. */
const RETRY_MAX_MS = 60_000
/** Records of one piece: some 300 KiB. */
const BATCH_MAX = 500
/** A sink that takes longer is said to be stuck; it is waited for all the same. */
const STUCK_MS = 10_000
/** How long a stop waits for the last records; what is not copied by then is copied after the next start. */
const STOP_MS = 2_000

/** A stored record. */
export type AuditRecord = AuditEntry & { readonly sequence: number }

/** Where the copy goes. */
export interface CopySink {
  /** What it is called in the log. */
  readonly name: string
  /** Resolves when the lines have been taken over. */
  write(lines: readonly string[]): Promise<void>
}

/** What copying needs. */
export interface CopyPorts {
  readonly store: {
    listAuditRecordsAfter(sequence: number, limit: number): Promise<readonly AuditRecord[]>
    copiedAuditSequence(): Promise<number>
    noteCopiedAuditSequence(sequence: number): Promise<void>
  }
  readonly sink: CopySink
  readonly schedule: (ms: number, callback: () => void) => () => void
  readonly log: {
    info(message: string, fields?: Readonly<Record<string, unknown>>): void
    error(message: string, fields?: Readonly<Record<string, unknown>>): void
  }
}

/**
 * Copies every record to a sink, in sequence, at least once: what is copied is noted after it was taken over. The
 * store is the queue, so a sink that fails or hangs holds up nothing but itself, loses nothing before it is too old to
 * be kept, and costs no memory.
 *
 * @returns copies what there is and ends
 */
export function startCopy({ store, sink, schedule, log }: CopyPorts): () => Promise<void> {
  let failures = 0
  let stopped = false
  let cancel = schedule(0, () => void tick())
  let running: Promise<void> = Promise.resolve()

  async function copyAll(): Promise<void> {
    let copied = await store.copiedAuditSequence()
    for (;;) {
      const records = await store.listAuditRecordsAfter(copied, BATCH_MAX)
      const last = records.at(-1)
      if (last === undefined) return
      await sink.write(records.map(lineOf))
      copied = last.sequence
      await store.noteCopiedAuditSequence(copied)
    }
  }

  async function attempt(): Promise<void> {
    let wasStuck = false
    const unstick = schedule(STUCK_MS, () => {
      wasStuck = true
      log.error('The copy of the audit is stuck; the audit itself goes on', { sink: sink.name })
    })
    try {
      await copyAll()
      if (failures > 0 || wasStuck) log.info('The audit is copied again', { sink: sink.name })
      failures = 0
    } catch (error) {
      if (failures++ === 0) {
        log.error('The audit cannot be copied; it is tried again, and nothing is lost', {
          sink: sink.name,
          error,
        })
      }
    } finally {
      unstick()
    }
  }

  async function tick(): Promise<void> {
    running = attempt()
    await running
    if (stopped) return
    cancel = schedule(Math.min(RETRY_MAX_MS, INTERVAL_MS * 2 ** Math.min(failures, 20)), () => void tick())
  }

  return async () => {
    stopped = true
    cancel()
    await within(running.then(attempt), schedule)
  }
}

/** A sink that hangs must not keep the process. */
function within(work: Promise<void>, schedule: CopyPorts['schedule']): Promise<void> {
  return new Promise(resolve => {
    const cancel = schedule(STOP_MS, resolve)
    void work.then(() => {
      cancel()
      resolve()
    })
  })
}
