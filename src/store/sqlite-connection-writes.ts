import type { Database } from 'better-sqlite3'
import { adoptedRow, attemptedRow, extendedRow } from './attempt-changes.ts'
import {
  enrichedRow,
  failedRow,
  forgottenRow,
  grantedRow,
  keptTokenRow,
  reboundRow,
  refreshedRow,
  siblingRow,
  suspectRow,
} from './connection-changes.ts'
import type { ScheduleShift } from './queries.ts'
import type { AuditEntry } from './record-rows.ts'
import type { AttemptAdoption, ConnectionRow, Damageable, Leaving, NewGrant } from './rows.ts'
import type { AddEntry } from './sqlite-audit.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { EndConsent } from './sqlite-consents.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, readableRow } = codecs.connections

type ConnectionWrites = Pick<
  Store,
  | 'saveGrant'
  | 'beginAttempt'
  | 'extendLease'
  | 'adoptAttempts'
  | 'commitRefresh'
  | 'failRefresh'
  | 'keepRefreshToken'
  | 'keepSibling'
  | 'markSuspect'
  | 'forgetRefreshToken'
  | 'enrichConnection'
  | 'rebindConnection'
  | 'bringForward'
  | 'touchConnections'
  | 'removeConnection'
>

/**
 * The writing half of the table of connections. What a change means is decided by the pure functions of
 * `connection-changes.ts` and `attempt-changes.ts`, on a row that was read in the same immediate transaction.
 */
export function createConnectionWrites(
  database: Database,
  { write, erase }: Transactions,
  add: AddEntry,
  endConsent: EndConsent,
): ConnectionWrites {
  const table = prepareStatements(database)

  function change(
    id: string,
    changed: (row: ConnectionRow) => ConnectionRow | undefined,
  ): ConnectionRow | undefined {
    const record = table.findById.get(id)
    if (record === undefined) return undefined
    const before = readableRow(record)
    const row = changed(before)
    return row && stored(table.update.get({ ...recordFromRow(row), ...damageOf(record, before) }))
  }

  /** Adds the entry of a change that was made. */
  function recorded<Changed>(changed: Changed | undefined, entry?: AuditEntry): Changed | undefined {
    if (changed !== undefined) add(entry)
    return changed
  }

  function adoptAttempts(adoption: AttemptAdoption): number {
    const adopted = table.findAttempted.all().flatMap(record => {
      const before = readableRow(record)
      const row = adoptedRow(before, adoption)
      return row === undefined ? [] : [{ ...recordFromRow(row), ...damageOf(record, before) }]
    })
    for (const record of adopted) table.update.get(record)
    return adopted.length
  }

  function saveGrant(grant: NewGrant): ConnectionRow | undefined {
    const record = table.findByName.get(grant.provider, grant.account)
    const row = grantedRow(grant, record && readableRow(record))
    if (row === undefined) return undefined
    if (grant.cancelRevocations) table.cancelRevocations.run(recordFromRow(row))
    const statement = record === undefined ? table.insert : table.update
    return stored(statement.get(recordFromRow(row)))
  }

  function removeConnection(
    provider: string,
    account: string,
    leaving?: (removed: ConnectionRow) => Leaving,
  ) {
    const record = table.remove.get(provider, account)
    if (record === undefined) return undefined
    const removed = readableRow(record)
    const { revocations = [], entry } = leaving?.(removed) ?? {}
    for (const row of revocations) table.insertRevocation.run(codecs.revocations.recordFromRow(row))
    return recorded(removed, entry)
  }

  return {
    saveGrant: (grant, entry, consent) =>
      erase(() => {
        const row = recorded(saveGrant(grant), entry)
        if (row === undefined || consent === undefined) return row
        endConsent(consent.id, consent.outcome)
        return recorded(row, consent.entry)
      }),
    beginAttempt: attempt => write(() => change(attempt.id, row => attemptedRow(row, attempt)) !== undefined),
    extendLease: (base, attemptId, leaseUntil) =>
      write(() => change(base.id, row => extendedRow(row, base, attemptId, leaseUntil)) !== undefined),
    adoptAttempts: adoption => write(() => adoptAttempts(adoption)),
    commitRefresh: (base, outcome, entry) =>
      write(() =>
        recorded(
          change(base.id, row => refreshedRow(row, base, outcome)),
          entry,
        ),
      ),
    failRefresh: (base, outcome, entry) =>
      write(() =>
        recorded(
          change(base.id, row => failedRow(row, base, outcome)),
          entry,
        ),
      ),
    keepRefreshToken: (base, kept) => write(() => change(base.id, row => keptTokenRow(row, base, kept))),
    keepSibling: (at, sibling) => write(() => change(at.id, row => siblingRow(row, at, sibling))),
    markSuspect: (at, nextRefreshAt, refusal) =>
      write(() => change(at.id, row => suspectRow(row, at, nextRefreshAt, refusal))),
    forgetRefreshToken: base => erase(() => change(base.id, row => forgottenRow(row, base))),
    enrichConnection: (base, facts, entry) =>
      write(() =>
        recorded(
          change(base.id, row => enrichedRow(row, base, facts)),
          entry,
        ),
      ),
    rebindConnection: (base, rebinding, entry) =>
      erase(() =>
        recorded(
          change(base.id, row => reboundRow(row, base, rebinding)),
          entry,
        ),
      ),
    bringForward: shift =>
      write(() => {
        table.endEarlier.run(shift)
        table.bringForward.run(shift)
        table.bringRevocationsForward.run(shift)
      }),
    touchConnections: uses =>
      write(() => {
        for (const { id, lastUsedAt } of uses) table.touch.run({ id, lastUsedAt })
      }),
    removeConnection: (provider, account, leaving) =>
      erase(() => removeConnection(provider, account, leaving)),
  }
}

function prepareStatements(database: Database) {
  const columns = columnNames.join(', ')
  const named = new Set(['id', 'provider', 'account'])
  const assignments = columnNames.filter(name => !named.has(name)).map(name => `${name} = @${name}`)
  return {
    findById: database.prepare<[string], SqlRecord>(`SELECT ${columns} FROM connections WHERE id = ?`),
    findByName: database.prepare<[string, string], SqlRecord>(
      `SELECT ${columns} FROM connections WHERE provider = ? AND account = ?`,
    ),
    findAttempted: database.prepare<[], SqlRecord>(
      `SELECT ${columns} FROM connections WHERE attempt_id IS NOT NULL ORDER BY attempt_started_at, id`,
    ),
    insert: database.prepare<[SqlRecord], SqlRecord>(
      `${insertSql('connections', columnNames)} RETURNING ${columns}`,
    ),
    update: database.prepare<[SqlRecord], SqlRecord>(
      `UPDATE connections SET ${assignments.join(', ')} WHERE id = @id RETURNING ${columns}`,
    ),
    touch: database.prepare(
      `UPDATE connections SET last_used_at = @lastUsedAt
       WHERE id = @id AND (last_used_at IS NULL OR last_used_at < @lastUsedAt)`,
    ),
    // Obtained at 0 says that nobody knows when.
    endEarlier: database.prepare<[ScheduleShift]>(
      `UPDATE connections SET obtained_at = iif(obtained_at = 0, 0, obtained_at - by_ms), expires_at = expires_at - by_ms
       FROM (SELECT id AS shifted,
         iif(sealed_refresh_token IS NULL, @irreplaceableByMs, max(@byMs, expires_at - @latest)) AS by_ms FROM connections)
       WHERE id = shifted AND expires_at IS NOT NULL`,
    ),
    bringForward: database.prepare<[ScheduleShift]>(
      `UPDATE connections SET next_refresh_at = min(@latest, max(@after, next_refresh_at - @byMs))
       WHERE next_refresh_at > @after`,
    ),
    bringRevocationsForward: database.prepare<[ScheduleShift]>(
      `UPDATE revocations SET next_try_at = min(@latest, max(@after, next_try_at - @byMs))
       WHERE next_try_at > @after`,
    ),
    remove: database.prepare<[string, string], SqlRecord>(
      `DELETE FROM connections WHERE provider = ? AND account = ? RETURNING ${columns}`,
    ),
    insertRevocation: database.prepare<[SqlRecord]>(insertSql('revocations', codecs.revocations.columnNames)),
    // Of whatever provider the same client is. Where one side does not know its provider account, the account's name
    // is the best evidence.
    cancelRevocations: database.prepare<[SqlRecord]>(
      `DELETE FROM revocations
       WHERE client_fingerprint = @client_fingerprint AND token_origin = @token_origin AND CASE
         WHEN provider_account_id <> '' AND @provider_account_id <> '' THEN provider_account_id = @provider_account_id
         ELSE provider = @provider AND account = @account END`,
    ),
  }
}

/** What damaged columns hold, so that a change of others leaves it for whoever looks into it. */
function damageOf(record: SqlRecord, { damaged = [] }: Damageable): SqlRecord {
  return Object.fromEntries(damaged.map(column => [column, record[column] ?? null]))
}

function stored(record: SqlRecord | undefined): ConnectionRow | undefined {
  return record && readableRow(record)
}
