import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createPrivateFile, makePrivate } from './private-file.ts'
import { StoreSetupError } from './setup-error.ts'
import type { CommitMark } from './sqlite-restores.ts'
import type { Store } from './store.ts'

/** Of fixed length, so that each mark overwrites the one before in place, on a full disk too. */
const markPattern = /^([0-9a-f]{32}) (\d{16})\n$/

/** The file beside the database that tells how far the store had come. */
export function commitMarkPath(dataDir: string): string {
  return join(dataDir, 'commit.mark')
}

/** What the file says; `undefined` if there is none, or a power cut left nothing that can be read in it. */
export function readCommitMarkFile(path: string): CommitMark | undefined {
  const [, storeId, sequence] = existsSync(path) ? (markPattern.exec(readFileSync(path, 'latin1')) ?? []) : []
  return storeId === undefined ? undefined : { storeId, sequence: Number(sequence) }
}

/**
 * Refuses a database that is older than the data directory has seen, or another one: its refresh tokens may have
 * been replaced since, and using a replaced one may end its grant.
 *
 * @param stored absent = there is no database, or one from before there was a mark
 * @throws StoreSetupError `rolled_back`
 */
export function refuseRolledBack(dataDir: string, stored: CommitMark | undefined): void {
  const path = commitMarkPath(dataDir)
  if (!isRolledBack(stored, readCommitMarkFile(path))) return
  const what = stored === undefined ? 'is gone or new' : 'is an older copy, or another one,'
  throw new StoreSetupError(
    'rolled_back',
    `the database in ${dataDir} ${what} than was in use here (${path}): refresh tokens in it may be out of date. ` +
      'Put the newest database back, or start once with --accept-restore, which checks them one by one',
  )
}

/** Makes the file say that a store has come further than it has, durably: as if its database were an older copy. */
export function raiseCommitMarkFile(path: string, { storeId, sequence }: CommitMark): void {
  createPrivateFile(path)
  const file = openSync(path, 'r+')
  try {
    writeSync(file, lineOf({ storeId, sequence: sequence + 1 }), 0, 'latin1')
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function lineOf({ storeId, sequence }: CommitMark): string {
  return `${storeId} ${String(sequence).padStart(16, '0')}\n`
}

/** Whether the database does not hold all that was once committed beside the mark. */
export function isRolledBack(stored: CommitMark | undefined, marked: CommitMark | undefined): boolean {
  if (marked === undefined || marked.sequence === 0) return false
  return stored === undefined || stored.storeId !== marked.storeId || stored.sequence < marked.sequence
}

/** Keeps the file up with the store. */
export interface CommitMarkFile {
  /** The same store, noting in the file each commit that a copy would take back, after it. */
  noting<S extends Store>(store: S): S
  close(): void
}

/** What raises the commit mark of the store. */
const commits = [
  'saveGrant',
  'commitRefresh',
  'keepRefreshToken',
  'keepSibling',
  'forgetRefreshToken',
  'rebindConnection',
  'removeConnection',
] as const satisfies readonly (keyof Store)[]

/**
 * Opens the file, creating it if it is missing (mode 0600). A mark that is lost in a power cut, or cannot be
 * written, only makes an older copy of the last moments go unnoticed; so nothing waits for the disk, and nothing
 * fails.
 *
 * @param current where the store stands
 */
export function openCommitMarkFile(path: string, current: () => CommitMark): CommitMarkFile {
  createPrivateFile(path)
  makePrivate(path)
  const file = openSync(path, 'r+')
  const note = () => {
    try {
      writeSync(file, lineOf(current()), 0, 'latin1')
    } catch {}
  }
  note()
  return {
    noting(store) {
      const noted = commits.map(name => {
        const commit = store[name] as (...input: unknown[]) => Promise<unknown>
        const andNote = async (...input: unknown[]) => {
          const result = await commit(...input)
          note()
          return result
        }
        return [name, andNote] as const
      })
      return { ...store, ...Object.fromEntries(noted) }
    },
    close: () => closeSync(file),
  }
}
