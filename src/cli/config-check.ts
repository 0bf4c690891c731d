import type { Config } from '../config/config.ts'
import { readConfigFile } from '../config/config-file.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { systemConfigParts } from '../config/system.ts'
import { configLines, configToJson } from './config-view.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, printJson, styleFor } from './output.ts'

export interface ConfigCheckOptions {
  /** Undefined = what `serve` would take. */
  readonly config?: string
  readonly json?: boolean
}

/** Reads the configuration as `serve` would, secrets and all, and says what is wrong or what would be served. */
export async function configCheck(options: ConfigCheckOptions, io: Io): Promise<number> {
  const parts = { ...systemConfigParts(options.config), env: io.env }
  try {
    const config = await loadConfig(parts)
    const file = (await readConfigFile(parts))?.name
    if (options.json) printJson(io, { valid: true, file, ...configToJson(config) })
    else print(io, ...summary(config, file, io))
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (options.json) printJson(io, { valid: false, problems: error.problems })
    note(io, error.message)
    return EXIT.configuration
  }
}

function summary(config: Config, file: string | undefined, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  const what = file ?? 'The environment alone, as there is no broker.yaml,'
  return [style('good', `${what} can be served.`), '', ...configLines(config, io.now(), style)]
}
