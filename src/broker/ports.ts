/** What the broker takes from outside beside the store, so that the whole protocol runs on a fake clock. */

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch by the wall clock, which may jump. */
  now(): number
  /** Whole milliseconds that only go forward, from an arbitrary start: what is made of them is stored as integers. */
  monotonic(): number
  /** Calls back once after that many milliseconds; the returned function cancels. Never keeps the process alive. */
  schedule(ms: number, callback: () => void): () => void
}

/** Randomness. */
export interface Random {
  /** Unpredictable bytes as base64url without padding. */
  token(bytes: number): string
  /** Uniform in [0, 1); for jitter only. */
  fraction(): number
}

/** Where the broker reports what happened. Fields are logged as they are: nothing secret may be put in. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
export type LogFields = Readonly<Record<string, unknown>>
