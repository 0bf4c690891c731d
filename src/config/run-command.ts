import { isUtf8 } from 'node:buffer'
import { spawn } from 'node:child_process'
import type { Environment } from './environment.ts'
import { createGate } from './gate.ts'
import { Mistake, PassingMistake } from './mistake.ts'

/** Milliseconds for a program to print a secret; a secret manager answers in one or two seconds. */
const COMMAND_TIMEOUT_MS = 10_000
/** Bytes that a program may print; the same as of a secret file. */
export const COMMAND_OUTPUT_BYTES_MAX = 64 * 1024
/** Secret managers' programs are heavy and their servers limit requests. */
const COMMANDS_AT_ONCE_MAX = 8

/**
 * Runs a program without a shell and answers what it printed.
 *
 * @param command the program and its arguments
 * @param folder where it runs, and where a relative path of the program starts
 * @throws Mistake that names the program, neither its arguments nor anything that it printed; a `PassingMistake` if the
 *   program failed or took too long, so that it may work later
 */
export type RunCommand = (command: readonly string[], folder: string) => Promise<string>

/** The real {@link RunCommand}: what a program writes to its standard error goes nowhere. */
export function createRunCommand(env: Environment, timeoutMs = COMMAND_TIMEOUT_MS): RunCommand {
  const gate = createGate(COMMANDS_AT_ONCE_MAX)
  return (command, folder) => gate(() => run(command, { folder, env, timeoutMs }))
}

interface RunOptions {
  readonly folder: string
  readonly env: Environment
  readonly timeoutMs: number
}

function run([program = '', ...words]: readonly string[], { folder, env, timeoutMs }: RunOptions) {
  return new Promise<string>((resolve, reject) => {
    const child = start(program, words, folder, env)
    const output: Buffer[] = []
    const fail = (how: string, cause?: unknown, Kind = Mistake) => {
      clearTimeout(deadline)
      child.stdout.destroy()
      reject(new Kind(`the command ${program} ${how}`, cause))
    }
    const failForNow = (how: string) => fail(how, undefined, PassingMistake)
    const deadline = setTimeout(() => {
      endGroup(child.pid)
      failForNow(`took longer than ${timeoutMs / 1000} seconds`)
    }, timeoutMs)
    child.once('error', (error: NodeJS.ErrnoException) => {
      fail(error.code === 'ENOENT' ? 'was not found' : `could not be started (${error.code})`, error)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk)
      if (sizeOf(output) <= COMMAND_OUTPUT_BYTES_MAX) return
      endGroup(child.pid)
      fail('printed more than 64 KiB')
    })
    child.once('close', (code, signal) => {
      if (signal !== null) return failForNow(`was ended by ${signal}`)
      if (code !== 0) return failForNow(`ended with exit code ${code}`)
      if (!isUtf8(Buffer.concat(output))) return fail('printed something that is not UTF-8 text')
      clearTimeout(deadline)
      resolve(Buffer.concat(output).toString('utf8'))
    })
  })
}

/** The system's own sentence would quote the arguments. */
function start(program: string, words: readonly string[], folder: string, env: Environment) {
  try {
    return spawn(program, words, {
      cwd: folder,
      env: { ...env },
      shell: false,
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own, so that what the program starts ends with it.
      detached: true,
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Mistake(`the command ${program} could not be started (${code})`)
  }
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
}

/** The group may be gone already, or was never there. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {}
}
