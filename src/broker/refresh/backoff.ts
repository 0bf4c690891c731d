/** After that long, in milliseconds, a refresh whose outcome is unknown is tried again; the last repeats. */
const UNKNOWN_OUTCOME_MS = [200, 1_000, 3_000, 10_000, 25_000, 30_000] as const
/** Backoff doubles from a second to half a minute; more would only delay the recovery, because the governor bounds the load. */
const BACKOFF_MIN_MS = 1_000
const BACKOFF_MAX_MS = 30_000

/**
 * Milliseconds until a refresh whose outcome is unknown is tried again. Providers that take a used refresh token
 * again do so for 5 s (Connect2id), 30 s (Okta) or minutes: the first tries come fast enough for all of them.
 *
 * @param tries how many attempts in a row have ended so
 */
export function unknownOutcomeDelay(tries: number): number {
  const last = UNKNOWN_OUTCOME_MS.length - 1
  return UNKNOWN_OUTCOME_MS[Math.min(tries, last)] ?? BACKOFF_MAX_MS
}

/**
 * Milliseconds until a failed refresh is tried again: doubling, with the upper half of each step left to chance.
 *
 * @param failures how many attempts in a row have failed
 * @param fraction uniform in [0, 1)
 */
export function backoff(failures: number, fraction: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 20))
  return Math.round(ceiling * (0.5 + fraction / 2))
}
