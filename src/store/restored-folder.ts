import { existsSync } from 'node:fs'
import { commitMarkPath, raiseCommitMarkFile } from './commit-mark-file.ts'
import { CopyError } from './copy-error.ts'
import { lockDataDir } from './data-lock.ts'
import { databasePath, inspectSqliteStore } from './sqlite.ts'

/**
 * Notes that a whole data directory was put back to an older state, which nothing in it can tell: its next start has to
 * accept that, and checks its connections. The broker must not run.
 *
 * @throws DataLockedError while a broker uses the directory
 * @throws CopyError `no_database`
 * @throws StoreSetupError, StoreError
 */
export async function noteRestoredFolder(dataDir: string): Promise<void> {
  const path = databasePath(dataDir)
  if (!existsSync(path)) throw new CopyError('no_database', `there is no database in ${dataDir}`)
  const lock = lockDataDir(dataDir)
  try {
    const { commitMark } = await inspectSqliteStore({ path })
    if (commitMark === undefined) throw new CopyError('no_database', `${path} holds no connection yet`)
    raiseCommitMarkFile(commitMarkPath(dataDir), commitMark)
  } finally {
    lock.release()
  }
}
