import { randomBytes } from 'node:crypto'
import {
  commitMarkPath,
  isRolledBack,
  openCommitMarkFile,
  readCommitMarkFile,
  refuseRolledBack,
} from './commit-mark-file.ts'
import { lockDataDir } from './data-lock.ts'
import type { KeyAdmin } from './key-admin.ts'
import type { Keyring } from './keyring.ts'
import { isWrappedBy, type RootKeys, type StoredKeyset } from './keyset.ts'
import type { AuditEntry } from './record-rows.ts'
import { loadRootKey, type RootKeySource } from './root-key-file.ts'
import { checkRootKey, openKeys } from './sealed-keyring.ts'
import type { Spool } from './spool.ts'
import { openSpoolFile, spoolPath } from './spool-file.ts'
import { databasePath, inspectSqliteStore, openSqliteStore, type SqliteStore } from './sqlite.ts'

/**
 * How far apart the connections of an accepted older copy become due: 5 a second. A refresh token that was
 * replaced is refused, and many refusals at once look like an attack to a provider.
 */
const restoreCheckEveryMs = 200

export interface RootKeySources {
  readonly rootKey: RootKeySource
  /** The root key to change to. A store that is under it already is opened with it. */
  readonly nextRootKey?: RootKeySource
}

export interface SealedStoreOptions extends RootKeySources {
  /** Created if it is missing. */
  readonly dataDir: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Takes an older database than the data directory has seen, and checks its connections. Default: refused. */
  readonly acceptRestore?: {
    /** Providers whose refresh tokens are not replaced by a refresh, which need no check. */
    readonly exempt: readonly string[]
    /** The audit entry of it, written with the beginning of the check, of how many connections are checked. */
    readonly entryOf?: (count: number) => AuditEntry
  }
}

/** A store, what opens its secrets, and where tokens wait while it is down. */
export interface SealedStore {
  readonly store: SqliteStore
  readonly keyring: Keyring
  readonly keys: KeyAdmin
  readonly spool: Spool
  /** How many connections an older copy that was accepted now leaves to be checked; absent = it is none. */
  readonly restored?: number
  /** Closes spool and store, then gives the data directory to others. */
  close(): Promise<void>
}

/**
 * Opens the store of a data directory in the order that keeps a refused start harmless: the lock, whether the database
 * is the newest, the root key, which is made where there is nothing yet, whether that key fits what is stored, and only
 * then anything that writes to the database or the spool.
 *
 * @throws DataLockedError, StoreSetupError, RootKeyError, StoreError
 */
export async function openSealedStore(options: SealedStoreOptions): Promise<SealedStore> {
  const lock = lockDataDir(options.dataDir)
  try {
    const opened = await openLocked(options)
    return { ...opened, close: () => opened.close().finally(lock.release) }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked({
  dataDir,
  now,
  acceptRestore,
  ...sources
}: SealedStoreOptions): Promise<SealedStore> {
  const path = databasePath(dataDir)
  const stored = await inspectSqliteStore({ path })
  const marked = readCommitMarkFile(commitMarkPath(dataDir))
  if (acceptRestore === undefined) refuseRolledBack(dataDir, stored.commitMark)
  const rootKeys = loadRootKeys(sources, stored)
  checkRootKey(stored, rootKeys.current)
  const store = await openSqliteStore({ path })
  try {
    const { keyring, admin } = await openKeys({ store, rootKeys, now, random: randomBytes })
    const spool = await openSpoolFile(spoolPath(dataDir))
    const restored =
      acceptRestore && isRolledBack(stored.commitMark, marked)
        ? await store.beginRestoreCheck({ ...acceptRestore, now, everyMs: restoreCheckEveryMs })
        : undefined
    // From here on the file says what this database says: the check above is stored.
    const mark = openCommitMarkFile(commitMarkPath(dataDir), store.commitMark)
    const close = () => spool.close().finally(mark.close).finally(store.close)
    return { store: mark.noting(store), keyring, keys: admin, spool, restored, close }
  } catch (error) {
    await store.close()
    throw error
  }
}

/**
 * Loads the root keys. If the store is under the next one already, the other need not be there any more.
 *
 * @throws RootKeyError
 */
export function loadRootKeys({ rootKey, nextRootKey }: RootKeySources, stored: StoredKeyset): RootKeys {
  const storeHasKeys = stored.keys.length > 0 || stored.hasSealedData
  const next = nextRootKey && loadRootKey({ source: nextRootKey, storeHasKeys: false })
  if (next !== undefined && isWrappedBy(stored.keys, next)) return { current: next, next }
  return { current: loadRootKey({ source: rootKey, storeHasKeys }), next }
}
