import { setImmediate } from 'node:timers/promises'
import { main } from '../../src/cli/cli.ts'
import type { Io } from '../../src/cli/io.ts'
import { noteSink } from '../canaries.ts'
import type { FakeBroker } from './fake-server.ts'

/** What the fake clock says when a command starts. */
export const NOW = Date.parse('2026-11-20T12:00:00Z')

/** How a command is run; everything else is as in a pipe on a machine without a display. */
export interface CliSetting {
  /** The broker that the environment names. */
  readonly broker?: Pick<FakeBroker, 'address' | 'tokenFile'>
  readonly env?: Readonly<Record<string, string>>
  /** Whether stdout and stderr are terminals. */
  readonly terminal?: boolean
  /** What the person at the terminal answers. Absent = stdin is no terminal. */
  readonly answer?: string
  /** What is piped in; default nothing. */
  readonly stdin?: string
  /** Fires as Ctrl-C does. */
  readonly interrupted?: AbortSignal
  readonly openBrowser?: (url: string) => Promise<void>
  /** Told of all that has been printed on stdout so far, whenever there is more. */
  readonly onStdout?: (text: string) => void
}

/** What a command left behind. */
export interface CliResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly questions: readonly string[]
}

/** Commands whose answer is a token or a link; what they say beside it is no answer. */
const PRINT_SECRETS = ['token', 'callers', 'connect', 'demo']

/** Runs one command line in this process, on a clock that only waiting moves. */
export async function runCli(argv: readonly string[], setting: CliSetting = {}): Promise<CliResult> {
  const written = { stdout: '', stderr: '' }
  const questions: string[] = []
  let now = NOW
  const sink = (name: keyof typeof written) => ({
    isTTY: setting.terminal ?? false,
    write: (text: string) => {
      written[name] += text
      if (name === 'stdout') setting.onStdout?.(written.stdout)
    },
  })
  const io: Io = {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: { ...environment(setting), ...setting.env },
    platform: 'linux',
    now: () => now,
    sleep: async ms => {
      now += ms
      await setImmediate()
    },
    ...(setting.answer !== undefined && {
      ask: async (question: string) => {
        questions.push(question)
        return setting.answer ?? ''
      },
    }),
    readStdin: async bytesMax => {
      const text = setting.stdin ?? ''
      return Buffer.byteLength(text) > bytesMax ? undefined : text
    },
    untilInterrupted: () => setting.interrupted ?? new AbortController().signal,
    openBrowser: setting.openBrowser ?? (() => Promise.reject(new Error('no browser in this test'))),
  }
  const exitCode = await main(argv, io)
  noteSink('stderr of the command line', written.stderr)
  if (!PRINT_SECRETS.includes(argv[0] ?? '')) noteSink('stdout of the command line', written.stdout)
  return { exitCode, ...written, questions }
}

function environment({ broker }: CliSetting): Record<string, string> {
  if (broker === undefined) return {}
  return { TOKEN_BROKER_ADDRESS: broker.address, TOKEN_BROKER_TOKEN_FILE: broker.tokenFile }
}
