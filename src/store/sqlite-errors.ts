import Database from 'better-sqlite3'
import { StoreError } from './store.ts'

/** What a code of SQLite means for the broker, by the start of its name. Codes that are not listed are ours to fix. */
const meanings: readonly (readonly [prefix: string, reason: StoreError['reason'], message: string])[] = [
  ['SQLITE_BUSY', 'busy', 'another process is writing to the database; end it if this lasts'],
  ['SQLITE_LOCKED', 'busy', 'another connection is using the database; end it if this lasts'],
  ['SQLITE_FULL', 'full', 'the disk of the data directory is full; free some space'],
  ['SQLITE_CORRUPT', 'corrupt', 'the database is damaged; restore it from a backup'],
  ['SQLITE_NOTADB', 'corrupt', 'the database file is no SQLite database; restore it from a backup'],
  ['SQLITE_IOERR', 'unavailable', 'the disk of the data directory fails to read or write; check it'],
  [
    'SQLITE_CANTOPEN',
    'unavailable',
    'the database file cannot be opened; check that it exists and its owner',
  ],
  ['SQLITE_READONLY', 'unavailable', 'the database file cannot be written; check its owner and its mount'],
  ['SQLITE_PERM', 'unavailable', 'the database file cannot be accessed; check its owner'],
  ['SQLITE_NOMEM', 'unavailable', 'there is not enough memory for the database'],
  ['SQLITE_PROTOCOL', 'unavailable', 'the locks of the database file fail; check its file system'],
]

/**
 * Translates an error of SQLite, once, at the boundary of the store. SQLite's own code ends the message; its
 * error stays the `cause`. Anything else, a broken constraint too, is a mistake of the program and returned as it is.
 */
export function storeErrorFrom(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  const meaning = meanings.find(([prefix]) => error.code.startsWith(prefix))
  if (meaning === undefined) return error
  const [, reason, message] = meaning
  return new StoreError(reason, `${message} (${error.code})`, { cause: error })
}

/** Whether somebody else held a lock, so that the same request may work a moment later. */
export function isBusy(error: unknown): boolean {
  const translated = storeErrorFrom(error)
  return translated instanceof StoreError && translated.reason === 'busy'
}
