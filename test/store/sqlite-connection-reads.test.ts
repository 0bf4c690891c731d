import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ConnectionQuery } from '../../src/store/queries.ts'
import { databasePath, openSqliteStore } from '../../src/store/sqlite.ts'
import { createConnectionReads } from '../../src/store/sqlite-connection-reads.ts'
import { tempDir } from './temp-dir.ts'

/** How SQLite finds the rows of a list. */
async function planOf(query: Omit<ConnectionQuery, 'limit'>): Promise<string[]> {
  const path = databasePath(tempDir())
  await (await openSqliteStore({ path })).close()
  const run: string[] = []
  const database = new Database(path, { verbose: sql => run.push(String(sql)) })
  onTestFinished(() => {
    database.close()
  })
  const read = async <T>(work: () => T) => work()
  const transactions = { read, write: read, erase: read, close: async () => {} }
  await createConnectionReads(database, transactions).listConnections({ ...query, limit: 5 })
  const plan = database.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${run.at(-1)}`).all()
  return plan.map(({ detail }) => detail)
}

const at = (provider: string) => ({ provider, account: 'a' })

describe('listConnections() reads a range of an index and sorts nothing', () => {
  it.each<[string, Omit<ConnectionQuery, 'limit'>, string]>([
    ['from a position', { after: at('pinterest') }, 'connections_by_name ((provider,account)>(?,?))'],
    [
      'between two',
      { after: at('pinterest'), before: at('square') },
      'connections_by_name ((provider,account)>(?,?) AND (provider,account)<(?,?))',
    ],
    [
      'of one provider, from one of its accounts',
      { provider: 'pinterest', after: at('pinterest') },
      'connections_by_name (provider=? AND account>?)',
    ],
    [
      'of one provider, between two of its accounts',
      { provider: 'pinterest', after: at('pinterest'), before: at('pinterest') },
      'connections_by_name (provider=? AND account>? AND account<?)',
    ],
    [
      'of one provider and state, between two of its accounts',
      { provider: 'pinterest', state: 'ACTIVE', after: at('pinterest'), before: at('pinterest') },
      'connections_by_state (state=? AND provider=? AND account>? AND account<?)',
    ],
    [
      'of one provider and state',
      { provider: 'pinterest', state: 'ACTIVE' },
      'connections_by_state (state=? AND provider=?)',
    ],
    [
      'of one state, from a position',
      { state: 'ACTIVE', after: at('pinterest') },
      'connections_by_state (state=? AND (provider,account)>(?,?))',
    ],
  ])('%s', async (_, query, index) => {
    expect(await planOf(query)).toEqual([`SEARCH connections USING INDEX ${index}`])
  })
})
