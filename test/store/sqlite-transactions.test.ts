import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { databasePath, openSqliteStore } from '../../src/store/sqlite.ts'
import { openDatabase, openReadonly } from '../../src/store/sqlite-database.ts'
import { createTransactions } from '../../src/store/sqlite-transactions.ts'
import { connect } from './samples.ts'
import { tempDir } from './temp-dir.ts'

function openRaw(path: string): Database.Database {
  const database = new Database(path, { timeout: 0 })
  onTestFinished(() => {
    database.close()
  })
  return database
}

/** Transactions on a new database with one table `t (a)`. */
function openTable({ pause }: { pause?: (ms: number) => Promise<unknown> } = {}) {
  const path = join(tempDir(), 'a.db')
  const database = openDatabase(path)
  onTestFinished(() => {
    database.close()
  })
  database.exec('CREATE TABLE t (a UNIQUE)')
  const count = () => database.prepare<[], number>('SELECT count(*) FROM t').pluck().get()
  return { path, database, transactions: createTransactions(database, pause), count }
}

describe('write() while another process writes', () => {
  it('leaves the event loop its turns while it waits', async () => {
    const path = databasePath(tempDir())
    const store = await openSqliteStore({ path })
    onTestFinished(() => store.close())
    const other = openRaw(path)
    other.exec('BEGIN IMMEDIATE')
    // Were the wait one of SQLite's own, the lock would be held until it gives up.
    let turns = 0
    const beat = setInterval(() => ++turns === 20 && other.exec('COMMIT'), 1)
    onTestFinished(() => clearInterval(beat))
    await connect(store)
    expect(turns).toBeGreaterThanOrEqual(20)
    expect(await store.findConnection('pinterest', 'alice')).toBeDefined()
  })

  it('gives up after a bounded number of tries', async () => {
    let pauses = 0
    const { path, transactions, database, count } = openTable({
      pause: async () => {
        pauses++
      },
    })
    const other = openRaw(path)
    other.exec('BEGIN IMMEDIATE')
    const insert = database.prepare('INSERT INTO t VALUES (1)')
    await expect(transactions.write(() => insert.run())).rejects.toMatchObject({ reason: 'busy' })
    expect(pauses).toBe(59)
    other.exec('COMMIT')
    expect(count()).toBe(0)
  })

  it('reads on', async () => {
    const { path, transactions, count } = openTable({ pause: () => Promise.reject(new Error('waited')) })
    openRaw(path).exec('BEGIN IMMEDIATE')
    expect(await transactions.read(count)).toBe(0)
  })
})

describe('write()', () => {
  it('takes back everything if the work throws', async () => {
    const { transactions, database, count } = openTable()
    const work = () => {
      database.exec('INSERT INTO t VALUES (1)')
      throw new Error('no')
    }
    await expect(transactions.write(work)).rejects.toThrow('no')
    expect(count()).toBe(0)
  })

  it('on a full disk says so, changes nothing, and works again when there is space', async () => {
    const { transactions, database, count } = openTable()
    const pages = Number(database.pragma('page_count', { simple: true }))
    database.pragma(`max_page_count = ${pages + 1}`)
    const insert = () => database.prepare('INSERT INTO t VALUES (zeroblob(20000))').run()
    await expect(transactions.write(insert)).rejects.toMatchObject({ name: 'StoreError', reason: 'full' })
    expect(count()).toBe(0)
    database.pragma('max_page_count = 1000000')
    await transactions.write(insert)
    expect(count()).toBe(1)
  })

  it('on a database that cannot be written says so', async () => {
    const { path } = openTable()
    const database = openReadonly(path)
    onTestFinished(() => {
      database.close()
    })
    const transactions = createTransactions(database)
    const insert = () => database.prepare('INSERT INTO t VALUES (1)').run()
    await expect(transactions.write(insert)).rejects.toMatchObject({ reason: 'unavailable' })
  })

  it("does not disguise the program's own mistakes", async () => {
    const { transactions, database } = openTable()
    const twice = () => database.exec('INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)')
    await expect(transactions.write(twice)).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_UNIQUE' })
  })
})
