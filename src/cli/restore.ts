import { resolve } from 'node:path'
import { loadDataConfig, loadDataDir } from '../config/data.ts'
import { systemConfigParts } from '../config/system.ts'
import { restoreDatabase } from '../store/restore.ts'
import { noteRestoredFolder } from '../store/restored-folder.ts'
import { copyFailure } from './copy-failure.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, printJson } from './output.ts'
import { restoreStatus } from './restore-status.ts'

export interface RestoreOptions {
  /** The backup. */
  readonly from?: string
  /** The data directory itself was put back. */
  readonly inPlace?: boolean
  /** Ask a running broker what became of the connections of a restored copy. */
  readonly status?: boolean
  readonly config?: string
  readonly json?: boolean
}

/**
 * Puts a backup in the place of the database of a broker that does not run, or notes that its whole data directory was
 * put back; or tells how the last restore went.
 */
export async function restore(
  { from, inPlace, status, config, json }: RestoreOptions,
  io: Io,
): Promise<number> {
  if ([from, inPlace, status].filter(wish => wish !== undefined).length !== 1) {
    throw usageError('say what to do: --from FILE, --in-place, or --status')
  }
  if (status) return restoreStatus({ json }, io)
  return from === undefined ? noteInPlace({ config, json }, io) : putBack(from, { config, json }, io)
}

async function noteInPlace(
  { config, json }: Pick<RestoreOptions, 'config' | 'json'>,
  io: Io,
): Promise<number> {
  const dataDir = await loadDataDir(systemConfigParts(config))
  await noteRestoredFolder(dataDir).catch(copyFailure)
  if (json) printJson(io, { isOlder: true })
  else print(io, `${dataDir} counts as an older copy from now on.`)
  note(io, ...CHECK)
  return EXIT.ok
}

const CHECK = [
  'Start once with: token-broker serve --accept-restore',
  'That checks such connections one by one; see: token-broker restore --status',
]

async function putBack(
  from: string,
  { config, json }: Pick<RestoreOptions, 'config' | 'json'>,
  io: Io,
): Promise<number> {
  const data = await loadDataConfig(systemConfigParts(config))
  const { connections, replaced, isOlder } = await Promise.resolve({
    ...data,
    from: resolve(from),
    now: io.now(),
  })
    .then(restoreDatabase)
    .catch(copyFailure)
  if (json) printJson(io, { connections, replaced, isOlder })
  else {
    print(io, `Restored ${connections} connections.`)
    if (replaced !== undefined) print(io, `The database that it replaces is kept: ${replaced}`)
  }
  if (isOlder) {
    note(io, 'It is older than what was in use: refresh tokens in it may have been replaced since.', ...CHECK)
  }
  return EXIT.ok
}
