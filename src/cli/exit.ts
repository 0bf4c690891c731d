/** The exit codes of every command (docs/cli.md); the numbers above 1 are those of sysexits.h. */
export const EXIT = {
  /** Done, or the answer is yes. */
  ok: 0,
  /** The answer is no, or the broker refused: not connected, consent denied, refresh failed. */
  negative: 1,
  /** EX_USAGE: the command line, or an argument that the broker calls malformed. */
  usage: 64,
  /** EX_UNAVAILABLE: no broker answers, or what it needs is away; trying again later may help. */
  unavailable: 69,
  /** EX_SOFTWARE: `serve` met a defect of its own; the log says where. */
  defect: 70,
  /** EX_NOPERM: the broker does not know this caller, or it may not do this. */
  notPermitted: 77,
  /** EX_CONFIG: a file or a variable that this program needs is absent or wrong. */
  configuration: 78,
} as const

/** What else a {@link CliError} says. */
export interface CliErrorDetails {
  /** The broker's closed reason, for example `CONSENT_REQUIRED`. */
  readonly reason?: string
  /** What a person can do about it; one line each. */
  readonly help?: readonly string[]
  /** Milliseconds after which a retry may help. Absence means that a retry does not help. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** Ends a command with an exit code and a sentence. Holds no secret. */
export class CliError extends Error {
  readonly exitCode: number
  readonly reason: string
  readonly help: readonly string[]
  readonly retryAfterMs: number | undefined

  constructor(exitCode: number, message: string, details: CliErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'CliError'
    this.exitCode = exitCode
    this.reason = details.reason ?? ''
    this.help = details.help ?? []
    this.retryAfterMs = details.retryAfterMs
  }
}

/** A command line that makes no sense. */
export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message)
}
