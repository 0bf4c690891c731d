import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { Release, ReleaseRow } from './record-rows.ts'
import type { AddEntry } from './sqlite-audit.ts'
import type { SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, rowFromRecord } = codecs.releases

/** The table of releases: one row per caller and version of an access token. */
export function createReleases(
  database: Database,
  { read, write }: Transactions,
  add: AddEntry,
): Pick<Store, 'recordReleases' | 'listReleases'> {
  const total = database
    .prepare<[Omit<Release, 'entry'>], number>(
      `INSERT INTO releases (caller, authentication, connection_id, provider, account, version, fingerprint,
       count, first_at, last_at)
     VALUES (@caller, @authentication, @connectionId, @provider, @account, @version, @fingerprint, @count, @at, @at)
     ON CONFLICT (caller, connection_id, version) DO UPDATE SET
       count = count + excluded.count,
       first_at = min(first_at, excluded.first_at),
       last_at = max(last_at, excluded.last_at)
     RETURNING count`,
    )
    .pluck()
  const all = select(database, '')
  const ofVersion = select(database, 'WHERE version = @version')
  const ofToken = select(database, 'WHERE fingerprint = @fingerprint')
  return {
    recordReleases: releases =>
      write(() => {
        for (const { entry, ...release } of releases) {
          const isFirst = total.get(release) === release.count
          if (isFirst) add(entry)
        }
      }),
    listReleases: ({ version, fingerprint, visible = () => true, limit }) =>
      read(() => {
        const most = checkLimit(limit)
        const parameters = { version: version ?? null, fingerprint: fingerprint ?? null }
        const some = fingerprint === undefined ? all : ofToken
        const statement = version === undefined ? some : ofVersion
        return firstVisible(statement.iterate(parameters), visible, most)
      }),
  }
}

function select(database: Database, filter: string) {
  return database.prepare<[SqlRecord], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM releases ${filter}
     ORDER BY last_at DESC, first_at DESC, caller, connection_id, version`,
  )
}

/** Reads no further than needed. */
function firstVisible(
  records: Iterable<SqlRecord>,
  visible: (row: ReleaseRow) => boolean,
  limit: number,
): ReleaseRow[] {
  const rows: ReleaseRow[] = []
  for (const record of records) {
    const row = rowFromRecord(record)
    if (visible(row)) rows.push(row)
    if (rows.length === limit) break
  }
  return rows
}
