import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { Release } from './record-rows.ts'
import type { SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, rowFromRecord } = codecs.releases

/** The table of releases: one row per caller and version of an access token. */
export function createReleases(
  database: Database,
  { read, write }: Transactions,
): Pick<Store, 'recordReleases' | 'listReleases'> {
  const record = database.prepare<[Release]>(
    `INSERT INTO releases (caller, authentication, connection_id, provider, account, version, fingerprint,
       count, first_at, last_at)
     VALUES (@caller, @authentication, @connectionId, @provider, @account, @version, @fingerprint, @count, @at, @at)
     ON CONFLICT (caller, connection_id, version) DO UPDATE SET
       count = count + excluded.count,
       first_at = min(first_at, excluded.first_at),
       last_at = max(last_at, excluded.last_at)`,
  )
  const all = select(database, '')
  const ofVersion = select(database, 'WHERE version = @version')
  return {
    recordReleases: releases =>
      write(() => {
        for (const release of releases) record.run(release)
      }),
    listReleases: ({ version, limit }) =>
      read(() => {
        const parameters = { version: version ?? null, limit: checkLimit(limit) }
        return (version === undefined ? all : ofVersion).all(parameters).map(rowFromRecord)
      }),
  }
}

function select(database: Database, filter: string) {
  return database.prepare<[SqlRecord], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM releases ${filter}
     ORDER BY last_at DESC, first_at DESC, caller, connection_id, version LIMIT @limit`,
  )
}
