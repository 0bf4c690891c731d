import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Program } from './program.ts'
import { until } from './until.ts'

/** A process that is traced. */
export interface Trace {
  /** Lets it go, unless it is dead; answers its calls. */
  stop(): Promise<readonly TracedCall[]>
}

export interface TracedCall {
  readonly thread: number
  /** Of the system call. */
  readonly name: string
  /** The line of strace behind the thread. */
  readonly text: string
}

const ATTACH_MS_MAX = 10_000
const STOP_MS_MAX = 1_000

/**
 * Attaches strace to every thread of a process; resolves when it is traced.
 *
 * @param options as strace has them, beside those about whom to trace and where to write
 */
export async function traceProgram(
  { pid }: Pick<Program, 'pid'>,
  options: readonly string[],
): Promise<Trace> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-chaos-trace-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const output = join(folder, 'calls')
  const args = ['--follow-forks', `--attach=${pid}`, `--output=${output}`, ...options]
  const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  await until('strace is attached', ATTACH_MS_MAX, () => {
    if (child.exitCode !== null) throw new Error(`strace ended: ${told}`)
    return told.includes('attached')
  })
  return {
    async stop() {
      child.kill('SIGTERM')
      // It hangs if what it traces dies while it lets go.
      const hangs = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      await exited
      clearTimeout(hangs)
      const calls = parse(await readFile(output, 'utf8'))
      await rm(folder, { recursive: true, force: true })
      return calls
    },
  }
}

/** Second halves of calls that another thread interrupted do not count again. */
function parse(lines: string): TracedCall[] {
  return lines.split('\n').flatMap(line => {
    const [, thread, text = '', name] = /^(\d+) +((\w+)\(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [{ thread: Number(thread), name, text }]
  })
}
