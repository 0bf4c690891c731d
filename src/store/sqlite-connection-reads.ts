import type { Database } from 'better-sqlite3'
import { checkLimit } from './page-limit.ts'
import type { ConnectionCount, ConnectionQuery } from './queries.ts'
import type { SqlRecord, SqlValue } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { readableRow } = codecs.connections

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
    findConnection: (provider, account) => read(() => find.all(provider, account).map(readableRow)[0]),
    listConnections: query => read(() => list(database, query)),
    countConnections: () => read(() => counts.all()),
    listDueConnections: ({ provider, before, limit, outcomeUnknown }) =>
      read(() => {
        const rows = outcomeUnknown ? dueUnknown : due
        return rows.all(provider, before, checkLimit(limit)).map(readableRow)
      }),
    listSharedConnections: ({ providerAccountId, clientFingerprint, tokenOrigin }) =>
      read(() => shared.all(providerAccountId, clientFingerprint, tokenOrigin).map(readableRow)),
  }
}

/** The filter is part of the text, so that each of its forms has the index that it needs. */
function list(database: Database, { provider, state, after, before, limit }: ConnectionQuery) {
  const filters = [
    ...(provider === undefined ? [] : ['provider = @provider']),
    ...(state === undefined ? [] : ['state = @state']),
    ...(after === undefined ? [] : [beyond('>', 'after', after.provider === provider)]),
    ...(before === undefined ? [] : [beyond('<', 'before', before.provider === provider)]),
  ]
  const positions = {
    ...{ afterProvider: after?.provider, afterAccount: after?.account },
    ...{ beforeProvider: before?.provider, beforeAccount: before?.account },
  }
  // Of a provider in one state SQLite would read all of the provider, because its names are unique.
  const index = state === undefined ? '' : 'INDEXED BY connections_by_state'
  const where = filters.length === 0 ? '' : `WHERE ${filters.join(' AND ')}`
  const page = select<[Record<string, SqlValue | undefined>]>(
    database,
    `${index} ${where} ORDER BY provider, account LIMIT @limit`,
  )
  return page.all({ provider, state, ...positions, limit: checkLimit(limit) }).map(readableRow)
}

/** Within the one provider only its accounts are compared: SQLite would begin each page at the first of them. */
function beyond(side: '<' | '>', position: 'after' | 'before', isWithin: boolean): string {
  return isWithin
    ? `account ${side} @${position}Account`
    : `(provider, account) ${side} (@${position}Provider, @${position}Account)`
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
