import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { createPrivateFile, makePrivate } from './private-file.ts'
import { StoreSetupError } from './setup-error.ts'
import { isBusy } from './sqlite-errors.ts'

/** Magic numbers of `statfs(2)` on Linux: NFS, SMB, CIFS, SMB2, AFS. */
const networkFilesystems = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f])

/** Locks held by this process. A handle that is garbage-collected would close, and with it the lock would end. */
const held = new Set<Database.Database>()

/** The right to write to a data directory. The operating system ends it with the process, whatever ends that. */
export interface DataLock {
  release(): void
}

/** Another process holds the lock of the data directory. */
export class DataLockedError extends Error {
  constructor(dataDir: string, options?: ErrorOptions) {
    super(
      `another broker is using the data directory ${dataDir}; stop it first, or give this one a data_dir of its own`,
      options,
    )
    this.name = 'DataLockedError'
  }
}

/**
 * Takes the exclusive right to write to the data directory, which it creates if it is missing (mode 0700).
 * The lock is on a file of its own, so that backups and readers of the database still work. Never open and
 * close `lock.db` by other means in this process: POSIX drops a process's locks on a file with its first close.
 *
 * @throws DataLockedError if another process has it
 * @throws StoreSetupError `not_writable`, `network_filesystem`
 */
export function lockDataDir(dataDir: string): DataLock {
  createDataDir(dataDir)
  const database = openLock(dataDir)
  held.add(database)
  return {
    release() {
      held.delete(database)
      database.close()
    },
  }
}

/** Whether file locks and shared memory of that kind of file system (`statfs(2)`, Linux) are not to be relied on. */
export function isNetworkFilesystem(type: number): boolean {
  // Some platforms hand the number out as signed.
  return networkFilesystems.has(type >>> 0)
}

function createDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    if (process.platform !== 'linux' || !isNetworkFilesystem(statfsSync(dataDir).type)) return
  } catch (error) {
    throw notWritable(dataDir, error)
  }
  throw new StoreSetupError(
    'network_filesystem',
    `the data directory ${dataDir} is on a network file system, where locks fail silently; use a local disk`,
  )
}

function openLock(dataDir: string): Database.Database {
  const database = openDatabase(dataDir)
  try {
    // In memory: a lock needs no journal file beside it.
    database.pragma('journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    throw isBusy(error) ? new DataLockedError(dataDir, { cause: error }) : notWritable(dataDir, error)
  }
}

function openDatabase(dataDir: string): Database.Database {
  const path = join(dataDir, 'lock.db')
  // Others could lock what they can read, and keep the broker from starting.
  createPrivateFile(path)
  makePrivate(path)
  try {
    return new Database(path, { timeout: 0, fileMustExist: true })
  } catch (error) {
    throw notWritable(dataDir, error)
  }
}

function notWritable(dataDir: string, cause: unknown): StoreSetupError {
  return new StoreSetupError(
    'not_writable',
    `the data directory ${dataDir} cannot be created or written; give it to the user that runs the broker, or set data_dir`,
    { cause },
  )
}
