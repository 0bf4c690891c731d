import { resolve } from 'node:path'
import { isLoopback } from '../loopback.ts'
import { readAudit } from './audit.ts'
import { readCallers } from './callers.ts'
import type { Config, Listener } from './config.ts'
import type { ConfigFileParts } from './config-file.ts'
import { readRootKeys } from './data.ts'
import { deepFreeze } from './freeze.ts'
import { readListen } from './listen.ts'
import { readRoles } from './policy-rules.ts'
import type { Report } from './problem.ts'
import { readProviders } from './providers.ts'
import { checkReach } from './reachable.ts'
import type { RunCommand } from './run-command.ts'
import type { WrittenConfig } from './schema.ts'
import { createSecretReader } from './secret-source.ts'
import { orRefuse, readWritten, type Written } from './written.ts'

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
  return completeConfig(await readWritten(parts), parts)
}

/** The last of the three steps of {@link loadConfig}. @throws ConfigError */
export async function completeConfig(written: Written, parts: ConfigParts): Promise<Config> {
  const { config, folder } = written
  return deepFreeze(await orRefuse(written, report => complete(config, { ...parts, folder, report })))
}

interface CompletionParts extends ConfigParts {
  /** Relative paths of the file start here. */
  readonly folder: string
  readonly report: Report
}

/** Whatever cannot be completed is reported and left out. */
async function complete(written: WrittenConfig, parts: CompletionParts): Promise<Config> {
  checkReach(written, parts.report)
  const readSecret = createSecretReader(parts)
  const dataDir = resolve(parts.folder, written.data_dir)
  const listen = await readListen(written.listen, parts)
  const publicUrl = written.public_url ?? defaultPublicUrl(listen.http, parts.report)
  const roles = readRoles(written.roles)
  const [rootKeys, providers, callers] = await Promise.all([
    readRootKeys(written, { ...parts, dataDir, readSecret }),
    readProviders(written.providers, { ...parts, publicUrl, readSecret }),
    readCallers(written.callers, roles, { ...parts, readSecret }),
  ])
  return {
    listen,
    publicUrl,
    returnUrls: new Map(Object.entries(written.return_urls)),
    trustedProxies: written.trusted_proxies,
    dataDir,
    store: written.store,
    ...rootKeys,
    providers,
    callers,
    operatorToken: written.operator_token,
    audit: readAudit(written.audit, parts.folder),
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
