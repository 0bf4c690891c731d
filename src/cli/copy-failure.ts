import { CopyError } from '../store/copy-error.ts'
import { DataLockedError } from '../store/data-lock.ts'
import { RootKeyError } from '../store/root-key.ts'
import { StoreSetupError } from '../store/setup-error.ts'
import { StoreError } from '../store/store.ts'
import { CliError, EXIT } from './exit.ts'

const KNOWN = [CopyError, DataLockedError, RootKeyError, StoreSetupError]

/** Rethrows what a backup or a restore fails with, as what ends the command. */
export function copyFailure(error: unknown): never {
  if (error instanceof StoreError) throw new CliError(EXIT.unavailable, error.message, { cause: error })
  if (KNOWN.some(kind => error instanceof kind)) {
    throw new CliError(EXIT.configuration, (error as Error).message, { cause: error })
  }
  throw error
}
