import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ForeignClient, Target } from './foreign-client.ts'
import { type ProgramOptions, runProgram } from './run-program.ts'

/** Compiling takes 10 to 20 s where two cores do nothing else and nothing is cached; a busy machine has all of this. */
export const COMPILE_MS_MAX = 300_000

/** A program that calls one method each time it runs; what it reads and prints stands at its top. */
export interface CompiledClient {
  clientOf(target: Target): ForeignClient
  remove(): void
}

/**
 * Compiles a client in a temporary folder of its own.
 *
 * @param compile fills the folder and answers the program's path; if it rejects, the folder is gone
 */
export async function createCompiledClient(
  compile: (folder: string) => Promise<string>,
): Promise<CompiledClient> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-compiled-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const program = await compile(folder).catch(error => {
    remove()
    throw error
  })
  return {
    remove,
    clientOf: ({ grpcAddress }) => ({
      async call(method, request, token) {
        const stdin = JSON.stringify({ token, request })
        return JSON.parse(await run(program, [grpcAddress, method], { stdin }))
      },
    }),
  }
}

/** Runs one step of a compilation and answers what it printed; rejects with what it complained about. */
export function compileStep(
  file: string,
  args: readonly string[],
  env?: ProgramOptions['env'],
): Promise<string> {
  return run(file, args, { env, timeoutMs: COMPILE_MS_MAX })
}

async function run(file: string, args: readonly string[], options: ProgramOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(file, args, options)
  if (exitCode === 0) return stdout
  throw new Error(`${file} ${exitCode === null ? 'was ended' : `failed with ${exitCode}`}: ${stderr}`)
}
