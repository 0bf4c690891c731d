import { scanAudit } from '../../src/store/audit-scan.ts'
import { checkLimit } from '../../src/store/page-limit.ts'
import type { AuditPosition, AuditRow } from '../../src/store/record-rows.ts'
import type { Store } from '../../src/store/store.ts'
import { addEntry, type MemoryTables, type Synchronous } from './memory-tables.ts'

type AuditMethods = Synchronous<
  Pick<
    Store,
    | 'addAuditRecords'
    | 'listAuditRecords'
    | 'listAuditRecordsAfter'
    | 'copiedAuditSequence'
    | 'noteCopiedAuditSequence'
    | 'pruneAudit'
  >
>

/** The audit of `MemoryStore`. */
export function memoryAudit(tables: MemoryTables): AuditMethods {
  const { audit, releases } = tables
  return {
    addAuditRecords(entries) {
      if (entries.some(({ count }) => count < 0)) throw new Error('a record counts nothing at the least')
      for (const entry of entries) addEntry(tables, entry)
    },
    listAuditRecords(query) {
      const { from = 0, until = Number.MAX_SAFE_INTEGER, after, oldestFirst } = query
      const sign = oldestFirst ? 1 : -1
      const ordered = audit
        .filter(({ time }) => time >= from && time < until)
        .filter(row => after === undefined || sign * compare(row, after) > 0)
        .sort((left, right) => sign * compare(left, right))
      return scanAudit(query, ordered)
    },
    listAuditRecordsAfter: (sequence, limit) =>
      audit.filter(row => row.sequence > sequence).slice(0, checkLimit(limit)),
    copiedAuditSequence: () => tables.auditCopied,
    noteCopiedAuditSequence(sequence) {
      tables.auditCopied = sequence
    },
    pruneAudit(before, limit) {
      checkLimit(limit)
      const old = audit
        .filter(({ time }) => time < before)
        .sort(compare)
        .slice(0, limit)
      for (const row of old) audit.splice(audit.indexOf(row), 1)
      const keys = [...releases]
        .filter(([, { lastAt }]) => lastAt < before)
        .sort(([, a], [, b]) => a.lastAt - b.lastAt)
      for (const [key] of keys.slice(0, limit)) releases.delete(key)
      return old.length + Math.min(keys.length, limit)
    },
  }
}

function compare(left: AuditPosition | AuditRow, right: AuditPosition | AuditRow): number {
  return left.time - right.time || left.sequence - right.sequence
}
