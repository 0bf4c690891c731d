import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import type { StoredKeyset } from './keyset.ts'
import { migrate, readSchemaVersion, refuseNewerSchema } from './migrations.ts'
import { createAddEntry, createAuditRecords } from './sqlite-audit.ts'
import { createClockMark } from './sqlite-clock.ts'
import { createConnectionReads } from './sqlite-connection-reads.ts'
import { createConnectionWrites } from './sqlite-connection-writes.ts'
import { createConsents, createEndConsent } from './sqlite-consents.ts'
import { openDatabase, openReadonly, sqliteVersion } from './sqlite-database.ts'
import { containsSealedData, createKeys, readKeys } from './sqlite-keys.ts'
import { createReleases } from './sqlite-releases.ts'
import { type CommitMark, createRestores, readCommitMark } from './sqlite-restores.ts'
import { createRevocations } from './sqlite-revocations.ts'
import { createSealedValues } from './sqlite-sealed-values.ts'
import { createTransactions, type Pause, retryWhileBusy } from './sqlite-transactions.ts'
import type { Store } from './store.ts'

export { inMemory } from './sqlite-database.ts'

export interface SqliteOptions {
  /** The database file, see {@link databasePath}; `inMemory` keeps everything in memory until `close()`. */
  readonly path: string
  /** Waits between two tries for a lock that another process holds. Default: real time. */
  readonly pause?: Pause
}

/** The store, and what it stands on. */
export interface SqliteStore extends Store {
  readonly sqliteVersion: string
  readonly schemaVersion: number
  /** Where the store stands in its own history. */
  commitMark(): CommitMark
}

/** What is known of a store before it is opened. */
export interface StoreInspection extends StoredKeyset {
  /** Absent in an empty store, and in one from before there was a mark. */
  readonly commitMark?: CommitMark
}

/** The database file of a data directory. */
export function databasePath(dataDir: string): string {
  return join(dataDir, 'broker.db')
}

/**
 * Opens the store on one SQLite file, creates or migrates it. One process may write at a time
 * (`lockDataDir`); others may read, and be in the way for a moment, which is waited for.
 *
 * @throws StoreSetupError if a person has to act first
 * @throws StoreError `corrupt`, `busy`, `full`, `unavailable`
 */
export async function openSqliteStore({ path, pause }: SqliteOptions): Promise<SqliteStore> {
  const database = await retryWhileBusy(() => openDatabase(path), pause)
  try {
    await retryWhileBusy(() => migrate(database), pause)
    const transactions = createTransactions(database, pause)
    const addEntry = createAddEntry(database)
    const endConsent = createEndConsent(database)
    return {
      ...createConnectionReads(database, transactions),
      ...createConnectionWrites(database, transactions, addEntry, endConsent),
      ...createRevocations(database, transactions, addEntry),
      ...createConsents(database, transactions, addEntry, endConsent),
      ...createKeys(database, transactions, addEntry),
      ...createReleases(database, transactions, addEntry),
      ...createAuditRecords(database, transactions, addEntry),
      ...createClockMark(database, transactions),
      ...createSealedValues(database, transactions),
      ...createRestores(database, transactions, addEntry),
      commitMark: () => requireMark(database),
      // Nobody else writes to this file.
      onForeignChange: () => () => {},
      close: transactions.close,
      sqliteVersion: sqliteVersion(database),
      schemaVersion: readSchemaVersion(database),
    }
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Reads what the root key must fit without changing a byte of the database file, so that a start with the
 * wrong key can be refused before anything is created or migrated. No file is an empty store.
 *
 * @throws StoreSetupError `newer_schema`
 * @throws StoreError `corrupt`, `busy`, `unavailable`
 */
export async function inspectSqliteStore({ path, pause }: SqliteOptions): Promise<StoreInspection> {
  if (!existsSync(path)) return { keys: [], hasSealedData: false }
  return retryWhileBusy(() => {
    const database = openReadonly(path)
    try {
      refuseNewerSchema(database)
      if (readSchemaVersion(database) === 0) return { keys: [], hasSealedData: false }
      return {
        keys: readKeys(database),
        hasSealedData: containsSealedData(database),
        commitMark: readCommitMark(database),
      }
    } finally {
      database.close()
    }
  }, pause)
}

function requireMark(database: Database): CommitMark {
  const mark = readCommitMark(database)
  if (mark === undefined) throw new Error('the migrations have made no commit mark')
  return mark
}
