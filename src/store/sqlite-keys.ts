import type { Database } from 'better-sqlite3'
import type { KeyRow } from './record-rows.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, rowFromRecord } = codecs.keys

/** The table of wrapped keys. */
export function createKeys(
  database: Database,
  { read, write }: Transactions,
): Pick<Store, 'listKeys' | 'insertKey' | 'hasSealedData'> {
  const insert = database.prepare<[SqlRecord]>(insertSql('keys', columnNames))
  return {
    listKeys: () => read(() => readKeys(database)),
    insertKey: key =>
      write(() => {
        insert.run(recordFromRow(key))
      }),
    hasSealedData: () => read(() => containsSealedData(database)),
  }
}

/** All keys, the oldest first. */
export function readKeys(database: Database): KeyRow[] {
  const keys = database.prepare<[], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM keys ORDER BY created_at, kid`,
  )
  return keys.all().map(rowFromRecord)
}

/** Whether any table holds a sealed value. */
export function containsSealedData(database: Database): boolean {
  const found = database.prepare<[], number>(
    `SELECT EXISTS (SELECT 1 FROM connections) OR EXISTS (SELECT 1 FROM revocations)
       OR EXISTS (SELECT 1 FROM consents WHERE sealed_verifier IS NOT NULL)`,
  )
  return found.pluck().get() === 1
}
