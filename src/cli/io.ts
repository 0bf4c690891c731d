import type { Environment } from '../config/environment.ts'

/** What a command touches outside itself. Commands take it as an argument, so that tests pass their own. */
export interface Io {
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Environment
  readonly platform: NodeJS.Platform
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Waits; ends early, without an error, when the signal fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Asks a question and resolves to the answered line. Absent where nobody sits at a terminal. */
  readonly ask?: (question: string) => Promise<string>
  /** Reads stdin to its end as UTF-8; `undefined` if it is longer than that. */
  readonly readStdin: (bytesMax: number) => Promise<string | undefined>
  /** A signal that fires at the first Ctrl-C (SIGINT) or SIGTERM after the call. */
  readonly untilInterrupted: () => AbortSignal
  /** Shows a web page to the person at this machine. */
  readonly openBrowser: (url: string) => Promise<void>
}

/** Where text goes. */
export interface Sink {
  write(text: string): unknown
  /** Whether a person reads along. */
  readonly isTTY?: boolean
}
