import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Mistake } from '../../src/config/mistake.ts'
import { ConfigError } from '../../src/config/problem.ts'

/** A small world to load a configuration in: nothing of the machine is looked at. */
export interface World {
  readonly argvPath?: string
  readonly env?: Readonly<Record<string, string>>
  /** By absolute path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** What a program prints; one that is not here fails. */
  readonly commands?: Readonly<Record<string, string>>
}

/** Where the fake process runs. */
const CWD = '/srv'

/** Loads `broker.yaml` of the working directory, or nothing but the environment. */
export function load(
  yaml?: string,
  { argvPath, env = {}, files = {}, commands = {} }: World = {},
): Promise<Config> {
  const all: Record<string, string | Uint8Array> = {
    ...(yaml === undefined ? {} : { [`${CWD}/broker.yaml`]: yaml }),
    ...files,
  }
  return loadConfig({
    argvPath,
    env,
    cwd: CWD,
    readFile: async (path, bytesMax) => {
      const content = Object.hasOwn(all, path) ? all[path] : undefined
      if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return Buffer.from(content).subarray(0, bytesMax + 1)
    },
    runCommand: async ([program = '']) => {
      const output = commands[program]
      if (output === undefined) throw new Mistake(`the command ${program} ended with exit code 1`)
      return output
    },
  })
}

/** Loads what must not load; answers the lines that the operator sees. */
export async function refusals(yaml?: string, world: World = {}): Promise<string[]> {
  const error = await load(yaml, world).then(
    () => new Error('it loaded'),
    (error: unknown) => error,
  )
  if (error instanceof ConfigError) return error.message.split('\n')
  throw error
}

/** A PEM file of this folder. */
export function fixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)), 'utf8')
}

/** 64 hex digits, different for each number. */
export function sha256(number: number): string {
  return number.toString(16).padStart(64, '0')
}

/** A line with one caller that may do something: without any, nothing is served beyond this machine. */
export const SOMEBODY = `callers: [{name: somebody, token_sha256: "${sha256(0xfff)}", allow: [{providers: ["*"], accounts: ["*"], methods: ["*"]}]}]`
