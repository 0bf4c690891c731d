import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { CopyError } from './copy-error.ts'
import type { StoredKeyset } from './keyset.ts'
import { readSchemaVersion, refuseNewerSchema } from './migrations.ts'
import { StoreSetupError } from './setup-error.ts'
import { containsSealedData, readKeys } from './sqlite-keys.ts'
import { type CommitMark, readCommitMark } from './sqlite-restores.ts'

/** What is in a copy of the database. */
export interface CopyFacts extends StoredKeyset {
  readonly connections: number
  /** Absent in a copy from before there was a mark. */
  readonly commitMark?: CommitMark
}

/**
 * Makes a copy one whole file without a log beside it, checks every page of it, and says what is in it.
 *
 * @throws CopyError `damaged`
 * @throws StoreSetupError `newer_schema`
 */
export function finishCopy(path: string): CopyFacts {
  try {
    const database = new Database(path, { fileMustExist: true, timeout: 0 })
    try {
      database.pragma('journal_mode = DELETE')
      const [first] = database.prepare<[], string>('PRAGMA quick_check(1)').pluck().all()
      if (first !== 'ok') throw damaged()
      refuseNewerSchema(database)
      if (readSchemaVersion(database) === 0) throw damaged()
      return readFacts(database)
    } finally {
      database.close()
    }
  } catch (error) {
    if (error instanceof CopyError || error instanceof StoreSetupError) throw error
    throw damaged(error)
  }
}

function readFacts(database: Database.Database): CopyFacts {
  const connections = database.prepare<[], number>('SELECT count(*) FROM connections').pluck().get() ?? 0
  return {
    connections,
    keys: readKeys(database),
    hasSealedData: containsSealedData(database),
    commitMark: readCommitMark(database),
  }
}

/** Removes a copy that was not finished, with what SQLite may have put beside it. */
export function removeCopy(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true })
}

/** Brings a file, and that it is there, to the disk. */
export function syncFile(path: string): void {
  const paths = process.platform === 'win32' ? [path] : [path, dirname(path)]
  for (const synced of paths) {
    const file = openSync(synced, 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }
}

function damaged(cause?: unknown): CopyError {
  return new CopyError(
    'damaged',
    'the copy is no whole database of a token broker; make or take another one',
    {
      cause,
    },
  )
}
