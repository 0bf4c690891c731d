import { resolve } from 'node:path'
import { z } from 'zod'
import { Secret } from '../secret.ts'
import type { Environment } from './environment.ts'
import { type ReadFile, readText } from './files.ts'
import { Mistake } from './mistake.ts'
import type { RunCommand } from './run-command.ts'
import { whenWellFormed } from './shape.ts'

/** Bytes of one secret; real ones are below 4 KiB. */
const SECRET_BYTES_MAX = 64 * 1024
/** Words of one command. */
const COMMAND_WORDS_MAX = 100
const VARIABLE = /^[A-Za-z_]\w*$/

const LITERAL =
  'a secret never stands in this file; write {env: NAME}, {file: PATH} or {command: [PROGRAM, ARGUMENT, ...]}'

/** Where a secret comes from: exactly one of a variable, a file, or what a program prints. */
export const sourceSchema = z
  .strictObject(
    {
      env: z.string().regex(VARIABLE, 'expected the name of an environment variable').optional(),
      file: z.string().min(1).optional(),
      command: z.array(z.string().min(1)).min(1).max(COMMAND_WORDS_MAX).optional(),
    },
    { error: issue => (issue.code === 'invalid_type' && issue.input != null ? LITERAL : undefined) },
  )
  .refine(source => Object.values(source).filter(way => way !== undefined).length === 1, {
    error: 'expected exactly one of env, file and command',
    ...whenWellFormed,
  })

export type SecretSource = z.output<typeof sourceSchema>

/** What secrets are read with. */
export interface SecretReaderParts {
  readonly env: Environment
  readonly readFile: ReadFile
  readonly runCommand: RunCommand
  /** Relative paths start here, and commands run here. */
  readonly folder: string
}

/** Reads the value of one source. @throws Mistake that never quotes the value */
export type ReadSecret = (source: SecretSource) => Promise<Secret>

/**
 * Creates the reader of all secrets of a configuration. One trailing line break is taken off: editors,
 * `echo` and Kubernetes put it there. Empty values and values of several lines are refused.
 */
export function createSecretReader({ env, readFile, runCommand, folder }: SecretReaderParts): ReadSecret {
  const raw = async (source: SecretSource): Promise<string> => {
    if (source.env !== undefined) return readVariable(env, source.env)
    if (source.file !== undefined) return readText(readFile, resolve(folder, source.file), SECRET_BYTES_MAX)
    return runCommand(source.command ?? [], folder)
  }
  return async source => toSecret(await raw(source), describeSource(source))
}

/** Names a source for people: `the variable X`. Of a command only the program, as arguments may be secret. */
export function describeSource({ env, file, command }: SecretSource): string {
  if (env !== undefined) return `the variable ${env}`
  return file === undefined ? `the command ${command?.[0]}` : `the file ${file}`
}

function readVariable(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined) throw new Mistake(`the variable ${name} is not set`)
  return value
}

function toSecret(raw: string, source: string): Secret {
  const value = raw.replace(/\r?\n$/, '')
  if (value === '') throw new Mistake(`${source} gives an empty value`)
  if (Buffer.byteLength(value) > SECRET_BYTES_MAX) throw new Mistake(`${source} gives more than 64 KiB`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    throw new Mistake(`${source} gives several lines or control characters; a secret is one line`)
  }
  return new Secret(value)
}
