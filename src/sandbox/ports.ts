/** What the sandbox takes from outside, so that tests decide what time it is and which tokens come out. */

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back once after that many milliseconds; the returned function cancels. */
  schedule(ms: number, callback: () => void): () => void
}

/** Randomness. */
export interface Random {
  /** Unpredictable bytes as base64url without padding. */
  token(bytes: number): string
}
