import { existsSync, linkSync, rmSync, statSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { CopyError } from './copy-error.ts'
import { type CopyFacts, finishCopy, removeCopy, syncFile } from './database-copy.ts'
import { createPrivateFile, isFileError } from './private-file.ts'
import { databasePath } from './sqlite.ts'
import { openReadonly } from './sqlite-database.ts'
import { storeErrorFrom } from './sqlite-errors.ts'

/** All pages in one step: while a copy is made in several, every commit of the broker starts it anew. */
const ALL_PAGES = 0x7fff_ffff

/** What was backed up. */
export interface Backup extends CopyFacts {
  readonly bytes: number
}

/**
 * Copies the database of a data directory to a new file, mode 0600, whether or not a broker uses it meanwhile: the
 * copy is of one moment. What is sealed stays sealed. The file is there when it is whole, checked and on the disk,
 * or not at all.
 *
 * @throws CopyError `no_database`, `exists`, `not_writable`, `damaged`
 * @throws StoreError if the database cannot be read
 */
export async function backUpDatabase(dataDir: string, to: string): Promise<Backup> {
  const from = databasePath(dataDir)
  if (!existsSync(from)) throw new CopyError('no_database', `there is no database in ${dataDir}`)
  refuseExisting(to)
  const part = `${to}.partial`
  try {
    // Of a backup that was interrupted; nobody else gives files that name.
    removeCopy(part)
    createPrivateFile(part)
    await copy(from, part)
    const facts = finishCopy(part)
    syncFile(part)
    // Unlike a rename it never takes the place of a file that has come meanwhile.
    linkSync(part, to)
    syncFile(to)
    return { ...facts, bytes: statSync(to).size }
  } catch (error) {
    if (isFileError(error, 'EEXIST')) refuseExisting(to)
    throw isFileSystemError(error) ? notWritable(to, error) : error
  } finally {
    rmSync(part, { force: true })
  }
}

async function copy(from: string, to: string): Promise<void> {
  let source: Database | undefined
  try {
    source = openReadonly(from)
    await source.backup(to, { progress: () => ALL_PAGES })
  } catch (error) {
    throw storeErrorFrom(error)
  } finally {
    source?.close()
  }
}

function refuseExisting(path: string): void {
  if (existsSync(path)) throw new CopyError('exists', `${path} exists; name a file that does not`)
}

function isFileSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

function notWritable(path: string, cause: unknown): CopyError {
  return new CopyError('not_writable', `${path} cannot be written; check its directory and its disk`, {
    cause,
  })
}
