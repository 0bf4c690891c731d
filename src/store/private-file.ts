import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs'
import { StoreSetupError } from './setup-error.ts'

/** Only the owner reads and writes. */
export const privateMode = 0o600

/** What a private file grants to nobody: anything for the group and for others. */
const foreignAccess = 0o077

/**
 * Creates an empty file with its mode, instead of leaving that to SQLite and the umask. A file that exists is
 * not even opened: closing it would drop the locks that SQLite holds on it in this process.
 *
 * @throws StoreSetupError `not_writable`
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', privateMode))
  } catch (error) {
    if (isFileError(error, 'EEXIST')) return
    const message = `${path} cannot be created; give its directory to the user that runs the broker`
    throw new StoreSetupError('not_writable', message, { cause: error })
  }
}

/**
 * Takes the rights of group and others from a file, if it exists.
 *
 * @throws StoreSetupError `not_private` if the file is somebody else's
 */
export function makePrivate(path: string): void {
  if (!existsSync(path) || !isOpenToOthers(statSync(path).mode)) return
  try {
    chmodSync(path, privateMode)
  } catch (error) {
    const message = `${path} is open to other users and cannot be closed to them; give it to the user that runs the broker`
    throw new StoreSetupError('not_private', message, { cause: error })
  }
}

/** Whether a file's mode lets anybody but its owner in. Windows has no such modes: there, access lists decide. */
export function isOpenToOthers(mode: number): boolean {
  return process.platform !== 'win32' && (mode & foreignAccess) !== 0
}

/** Whether it is an error of the file system with that code, such as `ENOENT`. */
export function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
