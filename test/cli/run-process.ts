import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { noteSink } from '../canaries.ts'
import type { FakeBroker } from './fake-server.ts'

/** The program's first file. */
export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** How a child process is run; it inherits nothing of the environment but the path. */
export interface ProcessSetting {
  readonly broker?: FakeBroker
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What is piped in; absent = nothing. */
  readonly stdin?: string
  /** JavaScript that runs before the program. */
  readonly preload?: string
  /** Sees the child and what it has printed so far, after each piece. */
  readonly onOutput?: (stdout: string, child: ChildProcess) => void
}

export interface ProcessResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program as a real process, until it ends. */
export function runProcess(argv: readonly string[], setting: ProcessSetting = {}): Promise<ProcessResult> {
  const { broker, preload, onOutput } = setting
  const imports =
    preload === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(preload)}`]
  const child = spawn(process.execPath, [...imports, MAIN, ...argv], {
    cwd: setting.cwd,
    env: {
      PATH: process.env.PATH,
      ...(broker && { TOKEN_BROKER_ADDRESS: broker.address, TOKEN_BROKER_TOKEN_FILE: broker.tokenFile }),
      ...setting.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program that does not read may be gone before it was written.
  child.stdin.on('error', () => {}).end(setting.stdin ?? '')
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', text => {
      written[name] += text
      onOutput?.(written.stdout, child)
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', exitCode => {
      // Other commands may be asked for a secret, as `token` is; what goes wrong may never show one.
      if (argv[0] === 'serve') noteSink('the output of serve', written.stdout)
      noteSink('the errors of a process', written.stderr)
      resolve({ exitCode, ...written })
    })
  })
}
