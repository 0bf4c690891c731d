/** What the broker takes from outside beside the store, so that the whole protocol runs on a fake clock. */

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch by the wall clock, which may jump. */
  now(): number
  /** Milliseconds that only go forward, from an arbitrary start. */
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

/** Records who was given what, before it is given. */
export interface Audit {
  /**
   * Resolves once the release is durably recorded. The first release of a token version to a caller is
   * written before this resolves; repeats are counted and written in summary.
   *
   * @throws BrokerError `BROKER_UNAVAILABLE` if a first release cannot be recorded
   */
  recordRelease(release: TokenRelease): Promise<void>
}

/** One hand-out of an access token. */
export interface TokenRelease {
  readonly caller: string
  readonly authentication: string
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly version: string
  /** Names the access token without revealing it. */
  readonly fingerprint: string
}
