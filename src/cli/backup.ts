import { resolve } from 'node:path'
import { loadDataDir } from '../config/data.ts'
import { systemConfigParts } from '../config/system.ts'
import { backUpDatabase } from '../store/backup.ts'
import { copyFailure } from './copy-failure.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, printJson } from './output.ts'

export interface BackupOptions {
  /** The file to write. */
  readonly to: string
  /** Instead of what the configuration says. */
  readonly dataDir?: string
  readonly config?: string
  readonly json?: boolean
}

/** Copies the database to a file, whether or not the broker runs. */
export async function backup({ to, dataDir, config, json }: BackupOptions, io: Io): Promise<number> {
  const from = dataDir === undefined ? await loadDataDir(systemConfigParts(config)) : resolve(dataDir)
  const file = resolve(to)
  const { bytes, connections, commitMark, keys } = await backUpDatabase(from, file).catch(copyFailure)
  const rootFingerprint = keys[0]?.rootFingerprint ?? ''
  if (json) {
    const sequence = commitMark?.sequence
    printJson(io, { file, bytes, connections, sequence, rootKeyFingerprint: rootFingerprint })
  } else {
    print(io, `Backed up ${connections} connections to ${file} (${bytes} bytes).`)
    note(io, `It opens only with the root key ${rootFingerprint}, which is not in it: keep that elsewhere.`)
  }
  return EXIT.ok
}
