import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, rowFromRecord } = codecs.revocations

/** The table of revocations; `removeConnection` fills it. */
export function createRevocations(
  database: Database,
  { read, write, erase }: Transactions,
): Pick<Store, 'listDueRevocations' | 'rescheduleRevocation' | 'removeRevocation'> {
  const due = database.prepare<[number, number], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM revocations WHERE next_try_at <= ? ORDER BY next_try_at, id LIMIT ?`,
  )
  const reschedule = database.prepare<[number, number, string]>(
    'UPDATE revocations SET next_try_at = ?, tries = ? WHERE id = ?',
  )
  const remove = database.prepare<[string]>('DELETE FROM revocations WHERE id = ?')
  return {
    listDueRevocations: (before, limit) => read(() => due.all(before, checkLimit(limit)).map(rowFromRecord)),
    rescheduleRevocation: (id, nextTryAt, tries) =>
      write(() => {
        reschedule.run(nextTryAt, tries, id)
      }),
    removeRevocation: id =>
      erase(() => {
        remove.run(id)
      }),
  }
}
