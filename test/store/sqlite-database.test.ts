import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { inMemory, openDatabase, refuseOldSqlite, verifySettings } from '../../src/store/sqlite-database.ts'
import { tempDir } from './temp-dir.ts'

function open(path: string): Database.Database {
  const database = openDatabase(path)
  onTestFinished(() => {
    database.close()
  })
  return database
}

describe('openDatabase()', () => {
  it('writes durably, also when it opens a database that was in WAL mode before', () => {
    const path = join(tempDir(), 'a.db')
    openDatabase(path).close()
    const database = open(path)
    database.exec('CREATE TABLE t (a); SELECT * FROM t')
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(database.pragma('synchronous', { simple: true })).toBe(2)
  })

  it.each([
    ['secure_delete', 1],
    ['trusted_schema', 0],
    ['cell_size_check', 1],
    ['foreign_keys', 1],
    ['temp_store', 2],
    ['page_size', 4096],
  ])('has %s = %i', (name, value) => {
    expect(open(join(tempDir(), 'a.db')).pragma(name, { simple: true })).toBe(value)
    expect(open(inMemory).pragma(name, { simple: true })).toBe(value)
  })

  it('lets SQLite wait 50 ms for a lock at most', () => {
    expect(open(join(tempDir(), 'a.db')).pragma('busy_timeout', { simple: true })).toBeLessThanOrEqual(50)
  })
})

describe('verifySettings()', () => {
  it('refuses a WAL database that is not synced at each commit', () => {
    const database = new Database(join(tempDir(), 'a.db'))
    onTestFinished(() => {
      database.close()
    })
    database.pragma('journal_mode = WAL')
    database.exec('CREATE TABLE t (a)')
    expect(() => verifySettings(database)).toThrow('synchronous = FULL')
  })

  it('refuses a database that leaves what is deleted', () => {
    const database = open(inMemory)
    database.pragma('secure_delete = OFF')
    expect(() => verifySettings(database)).toThrow('secure_delete = ON')
  })
})

describe('refuseOldSqlite()', () => {
  it.each(['3.51.2', '3.50.99', '3.9.0', '2.99.99', ''])('refuses %s', version => {
    expect(() => refuseOldSqlite(version)).toThrow(expect.objectContaining({ reason: 'old_sqlite' }))
  })
  it.each(['3.51.3', '3.51.10', '3.52.0', '3.100.1', '4.0.0'])('takes %s', version => {
    expect(() => refuseOldSqlite(version)).not.toThrow()
  })
})
