import { randomBytes } from 'node:crypto'
import { lockDataDir } from './data-lock.ts'
import type { Keyring } from './keyring.ts'
import { loadRootKey, type RootKeySource } from './root-key-file.ts'
import { checkRootKey, openKeyring } from './sealed-keyring.ts'
import type { Spool } from './spool.ts'
import { openSpoolFile, spoolPath } from './spool-file.ts'
import { databasePath, inspectSqliteStore, openSqliteStore, type SqliteStore } from './sqlite.ts'

export interface SealedStoreOptions {
  /** Created if it is missing. */
  readonly dataDir: string
  readonly rootKey: RootKeySource
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A store, what opens its secrets, and where tokens wait while it is down. */
export interface SealedStore {
  readonly store: SqliteStore
  readonly keyring: Keyring
  readonly spool: Spool
  /** Closes spool and store, then gives the data directory to others. */
  close(): Promise<void>
}

/**
 * Opens the store of a data directory in the order that keeps a refused start harmless: the lock, the root
 * key, whether that key fits what is stored, and only then anything that writes to the database or the spool.
 *
 * @throws DataLockedError, StoreSetupError, RootKeyError, StoreError
 */
export async function openSealedStore(options: SealedStoreOptions): Promise<SealedStore> {
  const lock = lockDataDir(options.dataDir)
  try {
    const { store, keyring, spool } = await openLocked(options)
    const close = () => spool.close().finally(store.close).finally(lock.release)
    return { store, keyring, spool, close }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked({ dataDir, rootKey: source, now }: SealedStoreOptions) {
  const path = databasePath(dataDir)
  const stored = await inspectSqliteStore({ path })
  const storeHasKeys = stored.keys.length > 0 || stored.hasSealedData
  const rootKey = loadRootKey({ source, storeHasKeys })
  checkRootKey(stored, rootKey)
  const store = await openSqliteStore({ path })
  try {
    const keyring = await openKeyring({ store, rootKey, now, random: randomBytes })
    return { store, keyring, spool: await openSpoolFile(spoolPath(dataDir)) }
  } catch (error) {
    await store.close()
    throw error
  }
}
