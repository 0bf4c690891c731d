import { spawn } from 'node:child_process'

/** What a program left behind. */
export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How a program is started. */
export interface ProgramOptions {
  readonly cwd?: string
  /** Laid over this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** When it is killed. Default: {@link PROGRAM_MS_MAX}. */
  readonly timeoutMs?: number
}

/** Longer than any call takes, and shorter than a test may. */
const PROGRAM_MS_MAX = 45_000

/** Runs a program to its end, without stopping the broker in this process meanwhile. Rejects if it cannot be started. */
export function runProgram(
  file: string,
  args: readonly string[],
  { cwd, env, stdin = '', timeoutMs = PROGRAM_MS_MAX }: ProgramOptions = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, timeout: timeoutMs })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', exitCode => resolve({ exitCode, stdout, stderr }))
    // A program that ends without reading its input is told by its exit code.
    child.stdin.on('error', () => {}).end(stdin)
  })
}
