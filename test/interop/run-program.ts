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
  /** Ends the program, which then has no exit code, once its stdout so far is enough. */
  readonly isEnough?: (stdout: string) => boolean
}

/** Longer than any call takes, and shorter than a test may. */
const PROGRAM_MS_MAX = 45_000

/** Runs a program to its end or until it has said enough, without stopping the broker in this process meanwhile. Rejects if it cannot be started. */
export function runProgram(
  file: string,
  args: readonly string[],
  { cwd, env, stdin = '', timeoutMs = PROGRAM_MS_MAX, isEnough = () => false }: ProgramOptions = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    // In a group of its own: some programs are a script that runs the real one.
    const detached = true
    const options = { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, detached }
    const child = spawn(file, args, options)
    const end = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid)
      } catch {
        // It has ended by itself.
      }
    }
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
      if (isEnough(stdout)) end()
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
