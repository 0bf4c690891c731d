import type { Database, Statement } from 'better-sqlite3'
import { scanAudit } from './audit-scan.ts'
import { checkLimit } from './page-limit.ts'
import type { AuditEntry, AuditQuery, AuditRow } from './record-rows.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, readableRow } = codecs.audit

/** Adds an entry within the transaction that is open; nothing if there is none. */
export type AddEntry = (entry: AuditEntry | undefined) => void

type AuditMethods = Pick<
  Store,
  | 'addAuditRecords'
  | 'listAuditRecords'
  | 'listAuditRecordsAfter'
  | 'copiedAuditSequence'
  | 'noteCopiedAuditSequence'
  | 'pruneAudit'
>

/** For tables whose changes are recorded in their own transactions. */
export function createAddEntry(database: Database): AddEntry {
  const written = columnNames.filter(name => name !== 'sequence')
  const insert = database.prepare<[SqlRecord]>(insertSql('audit_records', written))
  return entry => {
    // SQLite gives the sequence; what is named here is not bound.
    if (entry !== undefined) insert.run(recordFromRow({ sequence: 0, ...entry }))
  }
}

/** The table of audit records, and how far it was copied. */
export function createAuditRecords(
  database: Database,
  { read, write }: Transactions,
  add: AddEntry,
): AuditMethods {
  const table = prepareStatements(database)

  return {
    addAuditRecords: entries =>
      write(() => {
        for (const entry of entries) add(entry)
      }),
    listAuditRecords: query =>
      read(() => {
        const statement = query.oldestFirst ? table.oldestFirst : table.newestFirst
        return scanAudit(query, rowsOf(statement, boundsOf(query)))
      }),
    listAuditRecordsAfter: (sequence, limit) =>
      read(() => table.after.all({ sequence, limit: checkLimit(limit) }).map(auditRow)),
    copiedAuditSequence: () => read(() => table.copied.get() ?? 0),
    noteCopiedAuditSequence: sequence =>
      write(() => {
        table.noteCopied.run(sequence)
      }),
    pruneAudit: (before, limit) =>
      write(() => {
        const bounds = { before, limit: checkLimit(limit) }
        return table.pruneRecords.run(bounds).changes + table.pruneReleases.run(bounds).changes
      }),
  }
}

function prepareStatements(database: Database) {
  const columns = columnNames.join(', ')
  const list = (beyond: '<' | '>', order: 'ASC' | 'DESC') =>
    database.prepare<[SqlRecord], SqlRecord>(
      `SELECT ${columns} FROM audit_records
       WHERE time >= @from AND time < @until AND (time, sequence) ${beyond} (@time, @sequence)
       ORDER BY time ${order}, sequence ${order}`,
    )
  return {
    oldestFirst: list('>', 'ASC'),
    newestFirst: list('<', 'DESC'),
    after: database.prepare<[SqlRecord], SqlRecord>(
      `SELECT ${columns} FROM audit_records WHERE sequence > @sequence ORDER BY sequence LIMIT @limit`,
    ),
    copied: database.prepare<[], number>('SELECT sequence FROM audit_copy').pluck(),
    noteCopied: database.prepare<[number]>(
      `INSERT INTO audit_copy (id, sequence) VALUES (1, ?)
       ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence`,
    ),
    pruneRecords: database.prepare<[SqlRecord]>(
      `DELETE FROM audit_records WHERE sequence IN
         (SELECT sequence FROM audit_records WHERE time < @before ORDER BY time LIMIT @limit)`,
    ),
    pruneReleases: database.prepare<[SqlRecord]>(
      `DELETE FROM releases WHERE (caller, connection_id, version) IN
         (SELECT caller, connection_id, version FROM releases WHERE last_at < @before ORDER BY last_at LIMIT @limit)`,
    ),
  }
}

function boundsOf({ from = 0, until = Number.MAX_SAFE_INTEGER, after, oldestFirst }: AuditQuery): SqlRecord {
  const edge = oldestFirst ? -1 : Number.MAX_SAFE_INTEGER
  return { from, until, time: after?.time ?? edge, sequence: after?.sequence ?? edge }
}

/** One record that is damaged is no reason to withhold the others. */
function auditRow(record: SqlRecord): AuditRow {
  const { damaged, ...row } = readableRow(record)
  return damaged === undefined
    ? row
    : { ...row, details: { damaged: 'the details of this record cannot be read' } }
}

/** Begins to read when the first row is asked for, and ends when no further one is. */
function* rowsOf(statement: Statement<[SqlRecord], SqlRecord>, bounds: SqlRecord): Generator<AuditRow> {
  for (const record of statement.iterate(bounds)) yield auditRow(record)
}
