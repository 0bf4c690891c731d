import { checkLimit } from './page-limit.ts'
import type { AuditPage, AuditQuery, AuditRow } from './record-rows.ts'

/** Records that one page looks at: some 20 ms, in which nothing else happens. */
const SCANNED_MAX = 5_000

/**
 * Reads one page of the audit.
 *
 * @param rows those within the query's times, behind its position and in its order; not read further than needed
 */
export function scanAudit(query: AuditQuery, rows: Iterable<AuditRow>): AuditPage {
  const limit = checkLimit(query.limit)
  const page: AuditRow[] = []
  let scanned = 0
  let last: AuditRow | undefined
  for (const row of rows) {
    if (page.length === limit || scanned === SCANNED_MAX) return { rows: page, next: positionOf(last) }
    scanned++
    last = row
    // Where a page ends must not tell of what is hidden.
    if (matches(query, row) && (query.visible?.(row) ?? true)) page.push(row)
  }
  return { rows: page }
}

function matches({ caller, provider, account, event }: AuditQuery, row: AuditRow): boolean {
  return (
    (caller === undefined || row.caller === caller) &&
    (provider === undefined || row.provider === provider) &&
    (account === undefined || (row.account === account && row.provider !== '')) &&
    (event === undefined || row.event === event)
  )
}

function positionOf(row: AuditRow | undefined): AuditPage['next'] {
  return row && { time: row.time, sequence: row.sequence }
}
