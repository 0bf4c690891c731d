import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { ConnectionCount, ConnectionQuery } from './queries.ts'
import type { SqlRecord, SqlValue } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { rowFromRecord } = codecs.connections

type ConnectionReads = Pick<
  Store,
  'findConnection' | 'listConnections' | 'countConnections' | 'listDueConnections' | 'listSharedConnections'
>

/** The reading half of the table of connections. */
export function createConnectionReads(database: Database, { read }: Transactions): ConnectionReads {
  const find = select(database, 'WHERE provider = ? AND account = ?')
  const due = selectDue(database, 'IS NULL')
  const dueUnknown = selectDue(database, 'IS NOT NULL')
  const shared = select(
    database,
    `WHERE provider_account_id = ? AND client_fingerprint = ? AND token_origin = ? AND provider_account_id <> ''
     ORDER BY provider, account`,
  )
  const counts = database.prepare<[], ConnectionCount>(
    'SELECT provider, state, count(*) AS count FROM connections GROUP BY provider, state ORDER BY provider, state',
  )
  return {
    findConnection: (provider, account) => read(() => find.all(provider, account).map(rowFromRecord)[0]),
    listConnections: query => read(() => list(database, query)),
    countConnections: () => read(() => counts.all()),
    listDueConnections: ({ provider, before, limit, outcomeUnknown }) =>
      read(() => {
        const rows = outcomeUnknown ? dueUnknown : due
        return rows.all(provider, before, checkLimit(limit)).map(rowFromRecord)
      }),
    listSharedConnections: ({ providerAccountId, clientFingerprint, tokenOrigin }) =>
      read(() => shared.all(providerAccountId, clientFingerprint, tokenOrigin).map(rowFromRecord)),
  }
}

/** The filter is part of the text, so that each of its forms has the index that it needs. */
function list(database: Database, { provider, state, after, limit }: ConnectionQuery) {
  const filters = [
    ...(provider === undefined ? [] : ['provider = @provider']),
    ...(state === undefined ? [] : ['state = @state']),
    '(provider, account) > (@afterProvider, @afterAccount)',
  ]
  // No provider is empty, so ('', '') stands before all of them.
  const position = { afterProvider: after?.provider ?? '', afterAccount: after?.account ?? '' }
  const page = select<[Record<string, SqlValue | undefined>]>(
    database,
    `WHERE ${filters.join(' AND ')} ORDER BY provider, account LIMIT @limit`,
  )
  return page.all({ provider, state, ...position, limit: checkLimit(limit) }).map(rowFromRecord)
}

/** The test stands in the text, because only that selects the partial index. */
function selectDue(database: Database, outcomeUnknownSince: 'IS NULL' | 'IS NOT NULL') {
  return select(
    database,
    `WHERE provider = ? AND next_refresh_at <= ? AND outcome_unknown_since ${outcomeUnknownSince}
     ORDER BY next_refresh_at, id LIMIT ?`,
  )
}

function select<Parameters extends unknown[] = SqlValue[]>(database: Database, rest: string) {
  const columns = codecs.connections.columnNames.join(', ')
  return database.prepare<Parameters, SqlRecord>(`SELECT ${columns} FROM connections ${rest}`)
}
