import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { isBusy, storeErrorFrom } from '../../src/store/sqlite-errors.ts'

describe('storeErrorFrom()', () => {
  it.each([
    ['SQLITE_BUSY', 'busy'],
    ['SQLITE_BUSY_SNAPSHOT', 'busy'],
    ['SQLITE_LOCKED', 'busy'],
    ['SQLITE_FULL', 'full'],
    ['SQLITE_CORRUPT_VTAB', 'corrupt'],
    ['SQLITE_NOTADB', 'corrupt'],
    ['SQLITE_IOERR_FSYNC', 'unavailable'],
    ['SQLITE_CANTOPEN', 'unavailable'],
    ['SQLITE_READONLY_DBMOVED', 'unavailable'],
    ['SQLITE_PERM', 'unavailable'],
    ['SQLITE_NOMEM', 'unavailable'],
    ['SQLITE_PROTOCOL', 'unavailable'],
  ])('of %s is %s, with the cause kept', (code, reason) => {
    const cause = new Database.SqliteError('inner text', code)
    const error = storeErrorFrom(cause)
    expect(error).toMatchObject({ name: 'StoreError', reason, cause })
    expect(String(error)).toContain(code)
    expect(String(error)).not.toContain('inner text')
    expect(isBusy(cause)).toBe(reason === 'busy')
  })

  it.each([
    [
      "the program's mistakes",
      new Database.SqliteError('UNIQUE constraint failed', 'SQLITE_CONSTRAINT_UNIQUE'),
    ],
    ['other errors', new TypeError('x')],
    ['what is no error', 'x'],
  ])('leaves %s alone', (_, error) => {
    expect(storeErrorFrom(error)).toBe(error)
    expect(isBusy(error)).toBe(false)
  })
})
