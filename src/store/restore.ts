import { chmodSync, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs'
import { commitMarkPath, isRolledBack, readCommitMarkFile } from './commit-mark-file.ts'
import { CopyError } from './copy-error.ts'
import { lockDataDir } from './data-lock.ts'
import { type CopyFacts, finishCopy, removeCopy, syncFile } from './database-copy.ts'
import { loadRootKeys, type RootKeySources } from './open-store.ts'
import { createPrivateFile, privateMode } from './private-file.ts'
import { checkRootKey } from './sealed-keyring.ts'
import { databasePath } from './sqlite.ts'
import { openDatabase } from './sqlite-database.ts'

export interface RestoreOptions extends RootKeySources {
  readonly dataDir: string
  /** The backup. */
  readonly from: string
  /** Milliseconds since the epoch; names the database that is replaced. */
  readonly now: number
}

/** What was restored. */
export interface Restored extends CopyFacts {
  /** Where the database is that was replaced; absent = there was none. */
  readonly replaced?: string
  /** Whether it is older than what was in use, so that the next start has to accept it. */
  readonly isOlder: boolean
}

/**
 * Puts a backup in the place of the database, which is kept beside it. The broker must not run. Nothing is replaced
 * before the backup was found to be whole and the root key to fit; there is always a database in place.
 *
 * @throws DataLockedError while a broker uses the directory
 * @throws CopyError `unreadable`, `damaged`, `not_writable`
 * @throws RootKeyError, StoreSetupError
 */
export function restoreDatabase({ dataDir, from, now, ...sources }: RestoreOptions): Restored {
  refuseUnreadable(from)
  const lock = lockDataDir(dataDir)
  const path = databasePath(dataDir)
  const part = `${path}.restoring`
  try {
    removeCopy(part)
    copyPrivately(from, part)
    const facts = finishCopy(part)
    checkRootKey(facts, loadRootKeys(sources, facts).current)
    syncFile(part)
    const replaced = keepReplaced(path, now)
    renameSync(part, path)
    syncFile(path)
    const isOlder = isRolledBack(facts.commitMark, readCommitMarkFile(commitMarkPath(dataDir)))
    return { ...facts, replaced, isOlder }
  } finally {
    removeCopy(part)
    lock.release()
  }
}

function refuseUnreadable(from: string): void {
  if (!existsSync(from) || !statSync(from).isFile()) {
    throw new CopyError('unreadable', `there is no backup ${from}`)
  }
  const log = `${from}-wal`
  if (!existsSync(log) || statSync(log).size === 0) return
  throw new CopyError(
    'unreadable',
    `${from} has a write-ahead log beside it: it is a database in use, or one that a crash left; ` +
      'make a backup of it with: token-broker backup',
  )
}

function copyPrivately(from: string, to: string): void {
  createPrivateFile(to)
  try {
    copyFileSync(from, to)
    // The copy comes with the mode of what was copied, which may be open to others, or not to be written.
    chmodSync(to, privateMode)
  } catch (cause) {
    throw new CopyError('not_writable', `${from} cannot be copied to ${to}; check both and the disk`, {
      cause,
    })
  }
}

/**
 * Gives the database a second name, so that there is one in place until the very moment in which it is replaced.
 * Its log must not stay: SQLite would apply it to the restored one.
 */
function keepReplaced(path: string, now: number): string | undefined {
  if (!existsSync(path)) {
    removeLog(path)
    return undefined
  }
  emptyLog(path)
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  const kept = `${path}.replaced-${stamp}`
  linkSync(path, kept)
  // Only a damaged database still has one; its owner may want to look into it.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${kept}-wal`)
  removeLog(path)
  return kept
}

function emptyLog(path: string): void {
  try {
    const database = openDatabase(path)
    database.pragma('wal_checkpoint(TRUNCATE)')
    // The last to close it takes its log away.
    database.close()
  } catch {}
}

function removeLog(path: string): void {
  for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}
