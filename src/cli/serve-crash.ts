import type { Log } from '../broker/ports.ts'
import { EXIT } from './exit.ts'

/**
 * Milliseconds in which a broker that has met a defect may still store what its requests to providers bring: most
 * answers come within a second. Longer would keep the process that replaces it from the data.
 */
const STOP_MS_MAX = 10_000
/** Calls that led to the defect; the innermost come first. */
const FRAMES_MAX = 20

/** What is done in the process; tests say otherwise. */
export interface CrashPorts {
  readonly log: Pick<Log, 'error'>
  readonly exit: (code: number) => void
  /** @returns cancels it */
  readonly schedule: (ms: number, callback: () => void) => () => void
}

/** Meets what nobody has caught. */
export interface CrashGuard {
  /** Ends the process with exit code 70, once the broker has stopped or had its time for it. */
  crash(error: unknown): void
  /** From now on there is something to stop first. */
  stopFirst(stop: () => Promise<void>): void
}

/**
 * Creates what ends a process that has met a defect. Its state cannot be trusted to serve on, but a request that was
 * sent to a provider may bring the only refresh token that still works, so it is stopped as on SIGTERM, in less time.
 * A second defect meanwhile ends it at once. What was answered to callers is stored in any case.
 *
 * One line of the log says where it was. What the error says of itself is left out: it may quote anything.
 */
export function createCrashGuard({ log, exit, schedule }: CrashPorts): CrashGuard {
  let stop: (() => Promise<void>) | undefined
  let hasCrashed = false
  return {
    crash(error) {
      const end = () => exit(EXIT.defect)
      const isSecond = hasCrashed
      hasCrashed = true
      try {
        log.error('A defect ends the broker', describeDefect(error))
      } catch {
        // Where the log cannot be written, there is nowhere to say so.
      }
      if (isSecond || stop === undefined) return end()
      schedule(STOP_MS_MAX, end)
      stop().then(end, end)
    },
    stopFirst(action) {
      stop = action
    },
  }
}

/** Has it called for everything that nobody catches in this process. */
export function guardProcess({ crash }: Pick<CrashGuard, 'crash'>): void {
  process.on('uncaughtException', crash)
  // By itself Node makes the same of it, unless an option says otherwise.
  process.on('unhandledRejection', crash)
}

function describeDefect(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error }
  const { message, stack = '' } = error
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const frames = stack
    .replace(message, '')
    .split('\n')
    .filter(line => /^\s+at /.test(line))
    .map(line => line.trim())
  return { type: error.constructor.name, ...code, frames: frames.slice(0, FRAMES_MAX) }
}
