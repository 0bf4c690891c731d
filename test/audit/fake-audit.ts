import type {
  Audit,
  AuditEntry,
  AuditEvent,
  AuditOutcome,
  Denial,
  TokenRelease,
} from '../../src/audit/audit.ts'
import { entryOf } from '../../src/audit/entry.ts'

/** An audit that keeps everything in memory, in the order in which it was told. */
export interface FakeAudit extends Audit {
  readonly releases: TokenRelease[]
  /** What was recorded or noted; what a store method got is in the store. */
  readonly events: AuditEvent[]
  readonly entries: AuditEntry[]
  readonly denials: Denial[]
  readonly refreshes: { readonly provider: string; readonly outcome: AuditOutcome }[]
}

/** @param now the time of entries, in milliseconds since the epoch; default: 0 */
export function createFakeAudit(now: () => number = () => 0): FakeAudit {
  const releases: TokenRelease[] = []
  const events: AuditEvent[] = []
  const entries: AuditEntry[] = []
  const denials: Denial[] = []
  const refreshes: { provider: string; outcome: AuditOutcome }[] = []
  return {
    releases,
    events,
    entries,
    denials,
    refreshes,
    recordRelease: async release => void releases.push(release),
    entry(event) {
      const entry = entryOf(event, now())
      entries.push(entry)
      return entry
    },
    record: async event => void events.push(event),
    note: event => void events.push(event),
    recordDenial: denial => void denials.push(denial),
    countRefresh: (provider, outcome) => void refreshes.push({ provider, outcome }),
    trouble: () => undefined,
    flush: async () => {},
  }
}
