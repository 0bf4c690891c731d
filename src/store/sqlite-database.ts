import Database from 'better-sqlite3'
import { createPrivateFile, makePrivate } from './private-file.ts'
import { StoreSetupError } from './setup-error.ts'
import { StoreError } from './store.ts'

/** A database that lives in memory and ends with its handle; for tests and simulations. */
export const inMemory = ':memory:'

/**
 * How long SQLite itself may wait for a lock, and with it the event loop; the asynchronous retry of
 * `sqlite-transactions.ts` does the longer waiting. Enough for the tail of another process's commit.
 */
const busyTimeoutMs = 10

/** Before it, resetting the write-ahead log could corrupt the database (https://www.sqlite.org/wal.html, "the WAL-reset bug"). */
const oldestVersion = [3, 51, 3] as const

/** What is set on every connection, and what SQLite then answers. */
const settings: readonly (readonly [name: string, value: string, answer: number])[] = [
  // FULL, because a rotated refresh token that a power cut takes back is lost. better-sqlite3 is compiled to
  // fall back to NORMAL on the first read of a WAL database, which is why it is read back after one.
  ['synchronous', 'FULL', 2],
  // On macOS, fsync() alone does not reach the disk.
  ['fullfsync', 'ON', 1],
  ['foreign_keys', 'ON', 1],
  ['trusted_schema', 'OFF', 0],
  ['cell_size_check', 'ON', 1],
  // Overwrites what is deleted with zeros.
  ['secure_delete', 'ON', 1],
  // Otherwise sorting and statement journals may write rows to files elsewhere.
  ['temp_store', 'MEMORY', 2],
  // Pages until SQLite copies the log back by itself: 4 MB.
  ['wal_autocheckpoint', '1000', 1000],
]

/**
 * Opens the database file, creating it if it is missing, with the settings that durability and secrecy need.
 * Its structure is checked; damage inside a sealed value shows only when it is opened.
 *
 * @throws StoreSetupError `old_sqlite`, `not_durable`, `not_writable`, `not_private`
 * @throws StoreError `corrupt`
 */
export function openDatabase(path: string): Database.Database {
  if (path !== inMemory) prepareFiles(path)
  const database = new Database(path, { fileMustExist: path !== inMemory, timeout: busyTimeoutMs })
  try {
    refuseOldSqlite(sqliteVersion(database))
    configure(database)
    checkStructure(database)
    verifySettings(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Opens an existing database file for reading alone: its bytes stay as they are, even if a crash left
 * something in the write-ahead log.
 */
export function openReadonly(path: string): Database.Database {
  return new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
}

/** The version of the SQLite library that is in use. */
export function sqliteVersion(database: Database.Database): string {
  return String(database.prepare('SELECT sqlite_version()').pluck().get())
}

/**
 * Refuses a library with a known way to corrupt a database.
 *
 * @throws StoreSetupError `old_sqlite`
 */
export function refuseOldSqlite(version: string): void {
  const parts = version.split('.').map(Number)
  const difference = oldestVersion.map((part, index) => (parts[index] ?? 0) - part).find(d => d !== 0) ?? 0
  if (difference >= 0) return
  throw new StoreSetupError(
    'old_sqlite',
    `SQLite ${version} can corrupt a database; install better-sqlite3 with SQLite ${oldestVersion.join('.')} or later`,
  )
}

/** The database holds sealed tokens, accounts and the record of who got what: it is its owner's alone. */
function prepareFiles(path: string): void {
  createPrivateFile(path)
  for (const file of [path, `${path}-wal`, `${path}-shm`]) makePrivate(file)
}

function configure(database: Database.Database): void {
  // Has an effect on a new file only; the layout of rows with sealed values rests on it (migration-0001.ts).
  database.pragma('page_size = 4096')
  const journalMode = database.pragma('journal_mode = WAL', { simple: true })
  if (journalMode !== 'wal' && !database.memory) {
    const message = `SQLite keeps journal_mode ${journalMode} instead of WAL; put the data directory on a local file system`
    throw new StoreSetupError('not_durable', message)
  }
  for (const [name, value] of settings) database.pragma(`${name} = ${value}`)
}

function checkStructure(database: Database.Database): void {
  const [first] = database.prepare<[], string>('PRAGMA quick_check(1)').pluck().all()
  if (first === 'ok') return
  throw new StoreError('corrupt', 'the database is damaged; restore it from a backup')
}

/** Comes after the first read, which is when a setting that does not hold is lost. */
export function verifySettings(database: Database.Database): void {
  for (const [name, value, answer] of settings) {
    if (database.pragma(name, { simple: true }) === answer) continue
    throw new StoreSetupError(
      'not_durable',
      `SQLite does not take ${name} = ${value}; reinstall better-sqlite3 as the lock file names it`,
    )
  }
}
