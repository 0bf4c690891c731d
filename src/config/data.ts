import { join, resolve } from 'node:path'
import type { Config, RootKeySource } from './config.ts'
import type { ConfigParts } from './load.ts'
import { attempt } from './mistake.ts'
import type { Report } from './problem.ts'
import type { WrittenConfig } from './schema.ts'
import { createSecretReader, describeSource, type ReadSecret } from './secret-source.ts'
import { orRefuse, readWritten } from './written.ts'

const ROOT_KEY_FILE = 'root.key'

/** What names the data and opens it. */
export type DataConfig = Pick<Config, 'dataDir' | 'rootKey' | 'nextRootKey'>

/**
 * Loads where the data is, for a command that does nothing with providers and callers: their secrets are not read.
 *
 * @throws ConfigError
 */
export async function loadDataDir(parts: ConfigParts): Promise<string> {
  const { config, folder } = await readWritten(parts)
  return resolve(folder, config.data_dir)
}

/** The same, with the root keys. @throws ConfigError */
export async function loadDataConfig(parts: ConfigParts): Promise<DataConfig> {
  const written = await readWritten(parts)
  const { config, folder } = written
  const dataDir = resolve(folder, config.data_dir)
  const readSecret = createSecretReader({ ...parts, folder })
  const keys = await orRefuse(written, report =>
    readRootKeys(config, { dataDir, folder, readSecret, report }),
  )
  return { dataDir, ...keys }
}

interface RootKeyParts {
  readonly dataDir: string
  /** Relative paths of the file start here. */
  readonly folder: string
  readonly readSecret: ReadSecret
  readonly report: Report
}

/** Reads where the root keys come from. Whatever cannot be read is reported. */
export async function readRootKeys(
  { root_key, root_key_next }: Pick<WrittenConfig, 'root_key' | 'root_key_next'>,
  parts: RootKeyParts,
): Promise<Pick<DataConfig, 'rootKey' | 'nextRootKey'>> {
  const [rootKey, nextRootKey] = await Promise.all([
    readRootKey(root_key, parts),
    root_key_next && readNextRootKey(root_key_next, parts),
  ])
  return { rootKey, nextRootKey }
}

/** Only the default file may be made: that another one is absent means that a disk or a secret is not there. */
async function readRootKey(
  source: WrittenConfig['root_key'],
  { dataDir, folder, readSecret, report }: RootKeyParts,
): Promise<RootKeySource> {
  const defaultPath = join(dataDir, ROOT_KEY_FILE)
  const fromFile = (path: string): RootKeySource => {
    return { kind: 'file', path, createIfMissing: path === defaultPath }
  }
  if (source === undefined) return fromFile(defaultPath)
  if (source.file !== undefined) return fromFile(resolve(folder, source.file))
  const value = await attempt(report, ['root_key'], () => readSecret(source))
  return value ? { kind: 'value', value, origin: describeSource(source) } : fromFile(defaultPath)
}

/** The operator makes it, so that it is kept elsewhere too before anything depends on it. */
async function readNextRootKey(
  source: NonNullable<WrittenConfig['root_key_next']>,
  { folder, readSecret, report }: RootKeyParts,
): Promise<RootKeySource | undefined> {
  if (source.file !== undefined) {
    return { kind: 'file', path: resolve(folder, source.file), createIfMissing: false }
  }
  const value = await attempt(report, ['root_key_next'], () => readSecret(source))
  return value && { kind: 'value', value, origin: describeSource(source) }
}
