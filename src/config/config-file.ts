import { dirname, resolve } from 'node:path'
import { type Environment, variable } from './environment.ts'
import { type ReadFile, readText } from './files.ts'
import { Mistake } from './mistake.ts'
import { ConfigError } from './problem.ts'

/** The file that is taken from the working directory if nobody names another. */
const DEFAULT_CONFIG_FILE = 'broker.yaml'
/** A thousand providers and callers stay below it. */
const CONFIG_BYTES_MAX = 1024 * 1024

/** The configuration file. */
export interface ConfigFile {
  /** As the operator named it. */
  readonly name: string
  /** Absolute; relative paths in the file start here. */
  readonly folder: string
  readonly text: string
}

/** What the file is found with. */
export interface ConfigFileParts {
  /** What `--config` says. */
  readonly argvPath?: string
  readonly env: Environment
  /** Absolute. */
  readonly cwd: string
  readonly readFile: ReadFile
}

/**
 * Reads the file that `--config` names, else `TOKEN_BROKER_CONFIG`, else `./broker.yaml` if there is one.
 *
 * @returns undefined if nobody names a file and there is none
 * @throws ConfigError if it cannot be read
 */
export async function readConfigFile(parts: ConfigFileParts): Promise<ConfigFile | undefined> {
  const named = parts.argvPath ?? variable(parts.env, 'TOKEN_BROKER_CONFIG')
  const name = named ?? DEFAULT_CONFIG_FILE
  const path = resolve(parts.cwd, name)
  try {
    return { name, folder: dirname(path), text: await readText(parts.readFile, path, CONFIG_BYTES_MAX) }
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    if (named === undefined && isAbsent(error.cause)) return undefined
    throw new ConfigError([{ origin: name, path: '', message: error.message }])
  }
}

function isAbsent(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
