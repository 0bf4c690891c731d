import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain } from './output.ts'
import { formatDuration } from './time.ts'

/** The first wait before a stream that broke is opened again; each further one is twice as long. */
const BACKOFF_MS = 1_000
const BACKOFF_MS_MAX = 30_000
/** Longer than any restart; what is away for longer needs somebody who looks after it. */
const CLOSED_MS_MAX = 10 * 60_000

/**
 * Keeps a stream open until the signal fires: one that has been open is opened again when it ends, and stderr says so.
 *
 * @param follow opens the stream and follows it to its end; calls `opened` once it is open
 * @throws CliError why it could not be opened at first, why it may not be opened again, or that nobody has let it be
 *   opened for ten minutes
 */
export async function keepOpen(
  io: Io,
  signal: AbortSignal,
  follow: (opened: () => void) => Promise<void>,
): Promise<void> {
  /** Since when it is closed; absent before it was open at all. */
  let closedAt: number | undefined
  let waitMs = BACKOFF_MS
  while (!signal.aborted) {
    let isOpen = false
    const opened = () => {
      isOpen = true
      waitMs = BACKOFF_MS
      if (closedAt !== undefined) note(io, 'The stream is open again.')
    }
    const error = await follow(opened).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (signal.aborted) return
    if (isOpen) closedAt = io.now()
    if (closedAt === undefined || !mayReopen(error)) throw error ?? neverOpen()
    if (io.now() - closedAt >= CLOSED_MS_MAX) throw closedTooLong(error)
    const why = error === undefined ? '' : ` (${plain(error.message)})`
    const wait = formatDuration(waitMs)
    note(
      io,
      isOpen
        ? `The stream has ended${why}; opening it again in ${wait}.`
        : `The stream is not open yet${why}; trying again in ${wait}.`,
    )
    await io.sleep(waitMs, signal)
    waitMs = Math.min(waitMs * 2, BACKOFF_MS_MAX)
  }
}

function mayReopen(error: unknown): error is CliError | undefined {
  return error === undefined || (error instanceof CliError && error.exitCode === EXIT.unavailable)
}

function neverOpen(): CliError {
  return new CliError(EXIT.unavailable, 'the broker ended the stream before it was open')
}

function closedTooLong(error: CliError | undefined): CliError {
  const why = error === undefined ? 'it ends before it is open' : error.message
  const message = `the stream could not be opened again for ${formatDuration(CLOSED_MS_MAX)}: ${why}`
  return new CliError(EXIT.unavailable, message, {
    reason: error?.reason,
    help: error?.help.length ? error.help : ['start the broker, then run this again'],
    cause: error,
  })
}
