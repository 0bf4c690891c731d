import type { Database } from 'better-sqlite3'
import { lostNamesMax, type RestoreCheck, type RestoreReport } from './restores.ts'
import type { ConnectionName } from './rows.ts'
import type { AddEntry } from './sqlite-audit.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'

/** Where a store stands in its own history. */
export interface CommitMark {
  /** Random; copies of one store share it, until one that is older than another was accepted. */
  readonly storeId: string
  /** Counts the commits that a copy would take back. */
  readonly sequence: number
}

type Restores = Pick<Store, 'beginRestoreCheck' | 'restoreReport' | 'noteRestoreReported'>

/** What a checked connection has become. */
const fates = `
  SELECT restored.provider, restored.account, CASE
    WHEN current.id IS NULL OR current.grant_epoch > restored.grant_epoch THEN 'survived'
    WHEN current.state = 'REAUTH_REQUIRED' THEN 'lost'
    WHEN current.suspect = 0 THEN 'survived'
    ELSE 'pending' END AS fate
  FROM restored_connections AS restored LEFT JOIN connections AS current ON current.id = restored.connection_id`

/** The tables of accepted copies. */
export function createRestores(database: Database, { read, write }: Transactions, add: AddEntry): Restores {
  const statements = prepareStatements(database)

  function begin({ now, exempt, everyMs, entryOf }: RestoreCheck): number {
    statements.forget.run()
    statements.part.run()
    const { changes } = statements.note.run(JSON.stringify(exempt))
    statements.suspect.run({ now, everyMs })
    statements.accept.run(now)
    add(entryOf?.(changes))
    return changes
  }

  function report(): RestoreReport | undefined {
    const accepted = statements.find.get()
    if (accepted === undefined) return undefined
    const counts = new Map(statements.count.all().map(({ fate, count }) => [fate, count]))
    return {
      acceptedAt: accepted.accepted_at,
      reportedAt: accepted.reported_at ?? undefined,
      survived: counts.get('survived') ?? 0,
      lost: counts.get('lost') ?? 0,
      pending: counts.get('pending') ?? 0,
      lostConnections: statements.lost.all(),
    }
  }

  return {
    beginRestoreCheck: check => write(() => begin(check)),
    restoreReport: () => read(report),
    noteRestoreReported: at =>
      write(() => {
        statements.reported.run(at)
      }),
  }
}

/** Reads where the store stands; `undefined` in a database from before there was a mark. */
export function readCommitMark(database: Database): CommitMark | undefined {
  const exists = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'commit_mark'").get()
  if (exists === undefined) return undefined
  return database.prepare<[], CommitMark>('SELECT store_id AS storeId, sequence FROM commit_mark').get()
}

function prepareStatements(database: Database) {
  return {
    forget: database.prepare('DELETE FROM restored_connections'),
    // What it took the place of may count further, and is not the newest any more.
    part: database.prepare('UPDATE commit_mark SET store_id = lower(hex(randomblob(16)))'),
    note: database.prepare<[string]>(
      `INSERT INTO restored_connections (connection_id, provider, account, grant_epoch)
       SELECT id, provider, account, grant_epoch FROM connections
       WHERE sealed_refresh_token IS NOT NULL AND state <> 'REAUTH_REQUIRED'
         AND provider NOT IN (SELECT value FROM json_each(?))`,
    ),
    suspect: database.prepare<{ now: number; everyMs: number }>(
      `UPDATE connections SET suspect = 1, next_refresh_at = @now + @everyMs * place FROM (
         SELECT connection_id, row_number() OVER (ORDER BY connection_id) - 1 AS place FROM restored_connections
       ) WHERE id = connection_id`,
    ),
    accept: database.prepare<[number]>(
      'INSERT OR REPLACE INTO restores (id, accepted_at, reported_at) VALUES (1, ?, NULL)',
    ),
    find: database.prepare<[], { accepted_at: number; reported_at: number | null }>(
      'SELECT accepted_at, reported_at FROM restores',
    ),
    count: database.prepare<[], { fate: string; count: number }>(
      `SELECT fate, count(*) AS count FROM (${fates}) GROUP BY fate`,
    ),
    lost: database.prepare<[], ConnectionName>(
      `SELECT provider, account FROM (${fates}) WHERE fate = 'lost' ORDER BY provider, account LIMIT ${lostNamesMax}`,
    ),
    reported: database.prepare<[number]>('UPDATE restores SET reported_at = ?'),
  }
}
