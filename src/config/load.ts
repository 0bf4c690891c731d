import { join, resolve } from 'node:path'
import { isLoopback } from '../loopback.ts'
import { type Data, isData } from '../providers/merge.ts'
import { readCallers } from './callers.ts'
import type { Config, Listener, RootKeySource } from './config.ts'
import { type ConfigFile, type ConfigFileParts, readConfigFile } from './config-file.ts'
import { readYaml, type YamlDocument } from './document.ts'
import { layEnvironment } from './environment-layer.ts'
import { deepFreeze } from './freeze.ts'
import { readListen } from './listen.ts'
import { createLocate } from './locate.ts'
import { attempt } from './mistake.ts'
import { ConfigError, type Problem, type Report } from './problem.ts'
import { readProviders } from './providers.ts'
import type { RunCommand } from './run-command.ts'
import { configSchema, type WrittenConfig } from './schema.ts'
import { createSecretReader, describeSource, type ReadSecret } from './secret-source.ts'
import { checkShape } from './shape.ts'

const ROOT_KEY_FILE = 'root.key'

/** What a configuration is loaded with; nothing else of the process or the machine is looked at. */
export interface ConfigParts extends ConfigFileParts {
  readonly runCommand: RunCommand
}

/**
 * Loads the configuration from the file and the environment: checked, secrets read, deeply frozen.
 *
 * Mistakes are found in three steps, each of which reports all it finds: the text as YAML, each value by
 * itself, then what stands elsewhere and what must fit together.
 *
 * @throws ConfigError
 */
export async function loadConfig(parts: ConfigParts): Promise<Config> {
  const file = await readConfigFile(parts)
  const yaml = file && readYaml(file.text)
  const { data, origins } = layEnvironment(dataOf(file, yaml), parts.env, parts.cwd)
  const locate = createLocate(origins, file?.name, yaml)
  const shape = checkShape(configSchema, data)
  if ('misfits' in shape)
    throw new ConfigError(shape.misfits.map(({ path, message }) => locate(path, message)))
  const problems: Problem[] = []
  const report: Report = (path, message) => problems.push(locate(path, message))
  const config = await complete(shape.value, { ...parts, folder: file?.folder ?? parts.cwd, report })
  if (problems.length > 0) throw new ConfigError(problems)
  return deepFreeze(config)
}

function dataOf(file: ConfigFile | undefined, yaml: YamlDocument | undefined): Data {
  if (file === undefined || yaml === undefined) return {}
  const refuse = (mistakes: YamlDocument['mistakes']) =>
    new ConfigError(mistakes.map(mistake => ({ origin: file.name, path: '', ...mistake })))
  if (yaml.mistakes.length > 0) throw refuse(yaml.mistakes)
  if (yaml.data === undefined) return {}
  if (!isData(yaml.data)) throw refuse([{ ...yaml.placeOf([]), message: 'expected a map of keys' }])
  return yaml.data
}

interface CompletionParts extends ConfigParts {
  /** Relative paths of the file start here. */
  readonly folder: string
  readonly report: Report
}

/** Whatever cannot be completed is reported and left out. */
async function complete(written: WrittenConfig, parts: CompletionParts): Promise<Config> {
  const readSecret = createSecretReader(parts)
  const dataDir = resolve(parts.folder, written.data_dir)
  const listen = await readListen(written.listen, parts)
  const publicUrl = written.public_url ?? defaultPublicUrl(listen.http, parts.report)
  const [rootKey, providers, callers] = await Promise.all([
    readRootKey(written.root_key, { dataDir, folder: parts.folder, readSecret, report: parts.report }),
    readProviders(written.providers, { ...parts, publicUrl, readSecret }),
    readCallers(written.callers, readSecret, parts.report),
  ])
  return {
    listen,
    publicUrl,
    trustedProxies: written.trusted_proxies,
    dataDir,
    store: written.store,
    rootKey,
    providers,
    callers,
    log: written.log,
  }
}

/** A listener elsewhere has a name that only the operator knows. */
function defaultPublicUrl({ host, port, tls }: Listener, report: Report): string {
  if (!isLoopback(host)) {
    report(['public_url'], 'is missing; where listen.http is not loopback, say where browsers reach it')
  }
  return new URL(`${typeof tls === 'object' ? 'https' : 'http'}://localhost:${port}`).origin
}

interface RootKeyParts {
  readonly dataDir: string
  readonly folder: string
  readonly readSecret: ReadSecret
  readonly report: Report
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
