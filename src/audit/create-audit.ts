import type { Audit, AuditEntry } from './audit.ts'
import { createBacklog } from './backlog.ts'
import { createDenials } from './denials.ts'
import { entryOf } from './entry.ts'
import { createGroupWriter } from './group-writer.ts'
import { createRefreshCounts } from './refresh-counts.ts'
import { type CountedRelease, createReleases } from './releases.ts'

/** What the audit needs from outside. */
export interface AuditPorts {
  /** Writes durably, or rejects having written nothing. */
  readonly store: {
    recordReleases(releases: readonly CountedRelease[]): Promise<void>
    addAuditRecords(entries: readonly AuditEntry[]): Promise<void>
  }
  readonly now: () => number
  readonly schedule: (ms: number, callback: () => void) => () => void
  readonly log: {
    info(message: string): void
    error(message: string, fields?: Readonly<Record<string, unknown>>): void
  }
}

/** Creates the audit over one store. */
export function createAudit({ store, now, schedule, log }: AuditPorts): Audit {
  const { watched, isFailing } = createTroubleWatch(log, () => {
    // It is tried again until it is written, which finds out that writing works again although nobody asks for a token.
    note({ event: 'AUDIT_INTERRUPTED', outcome: 'FAILED' })
  })
  const addRecords = watched(store.addAuditRecords)
  const releases = createReleases({ write: watched(store.recordReleases), now, schedule })
  const write = createGroupWriter({ write: addRecords, schedule })
  const backlog = createBacklog({ write: addRecords, now, schedule })
  const entry: Audit['entry'] = event => entryOf(event, now())
  const note: Audit['note'] = event => backlog.add(entry(event))
  const denials = createDenials(note, schedule)
  const counts = createRefreshCounts(note, schedule)
  return {
    recordRelease: releases.recordRelease,
    entry,
    record: event => write(entry(event)),
    note,
    recordDenial: denials.record,
    countRefresh: counts.add,
    trouble: () => (isFailing() ? 'the audit cannot be written' : undefined),
    async flush() {
      denials.flush()
      counts.flush()
      await Promise.all([releases.flush(), backlog.flush()])
    },
  }
}

type Write<Items> = (items: Items) => Promise<void>

/** Watches over writing: says once that it fails, and once that it works again. */
function createTroubleWatch(log: AuditPorts['log'], onInterruption: () => void) {
  let failing = false
  return {
    isFailing: () => failing,
    watched:
      <Items>(write: Write<Items>): Write<Items> =>
      async items => {
        try {
          await write(items)
        } catch (error) {
          if (!failing) {
            failing = true
            log.error('The audit cannot be written: nobody gets a token that it has not had yet', { error })
            onInterruption()
          }
          throw error
        }
        if (failing) log.info('The audit is written again')
        failing = false
      },
  }
}
