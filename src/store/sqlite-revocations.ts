import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { AddEntry } from './sqlite-audit.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, readableRow } = codecs.revocations

type Revocations = Pick<
  Store,
  | 'addRevocation'
  | 'replaceRevocationTokens'
  | 'listDueRevocations'
  | 'rescheduleRevocation'
  | 'removeRevocation'
>

/** The table of revocations; `removeConnection` fills it, too. */
export function createRevocations(
  database: Database,
  { read, write, erase }: Transactions,
  add: AddEntry,
): Revocations {
  const insert = database.prepare<[SqlRecord]>(insertSql('revocations', columnNames))
  const replaceTokens = database.prepare<[SqlRecord]>(
    `UPDATE revocations SET sealed_access_token = coalesce(@sealedAccessToken, sealed_access_token),
       sealed_refresh_token = coalesce(@sealedRefreshToken, sealed_refresh_token)
     WHERE id = @id`,
  )
  const due = database.prepare<[number, number], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM revocations WHERE next_try_at <= ? ORDER BY next_try_at, id LIMIT ?`,
  )
  const reschedule = database.prepare<[number, number, string]>(
    'UPDATE revocations SET next_try_at = ?, tries = ? WHERE id = ?',
  )
  const remove = database.prepare<[string]>('DELETE FROM revocations WHERE id = ?')
  return {
    addRevocation: revocation =>
      write(() => {
        insert.run(recordFromRow(revocation))
      }),
    replaceRevocationTokens: (id, { sealedAccessToken = null, sealedRefreshToken = null }) =>
      erase(() => {
        replaceTokens.run({ id, sealedAccessToken, sealedRefreshToken })
      }),
    listDueRevocations: (before, limit) => read(() => due.all(before, checkLimit(limit)).map(readableRow)),
    rescheduleRevocation: (id, nextTryAt, tries) =>
      write(() => reschedule.run(nextTryAt, tries, id).changes > 0),
    removeRevocation: (id, entry) =>
      erase(() => {
        if (remove.run(id).changes > 0) add(entry)
      }),
  }
}
