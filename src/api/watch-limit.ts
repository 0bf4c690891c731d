import { BrokerError } from '../broker/errors.ts'
import { WATCHED_PER_CALLER_MAX, WATCHES_PER_CALLER_MAX } from './limits.ts'

/** Milliseconds after which a caller over its limit may find room, if it has closed other watches. */
const RETRY_AFTER_MS = 10_000

/** Keeps one caller's watches from taking everything. */
export interface WatchLimit {
  /**
   * Counts a watch that begins; the returned function is called once when it has ended.
   *
   * @param weight how many connections it counts for
   * @throws BrokerError `RATE_LIMITED`
   */
  enter(caller: string, weight: number): () => void
}

/** Creates the limit over all callers. */
export function createWatchLimit(): WatchLimit {
  const open = new Map<string, { readonly watches: number; readonly weight: number }>()

  function add(caller: string, watches: number, weight: number): void {
    const before = open.get(caller) ?? { watches: 0, weight: 0 }
    const after = { watches: before.watches + watches, weight: before.weight + weight }
    if (after.watches === 0) open.delete(caller)
    else open.set(caller, after)
  }

  return {
    enter(caller, weight) {
      const now = open.get(caller) ?? { watches: 0, weight: 0 }
      if (now.watches >= WATCHES_PER_CALLER_MAX) throw tooMany(caller, 'watches', WATCHES_PER_CALLER_MAX)
      if (now.weight + weight > WATCHED_PER_CALLER_MAX) {
        throw tooMany(caller, 'watched connections', WATCHED_PER_CALLER_MAX)
      }
      add(caller, 1, weight)
      return () => add(caller, -1, -weight)
    },
  }
}

function tooMany(caller: string, what: string, most: number): BrokerError {
  const message = `the caller ${caller} may have ${most} ${what} open at once; put many connections on one stream`
  return new BrokerError('RATE_LIMITED', message, {
    metadata: { caller, limit: String(most) },
    retryAfterMs: RETRY_AFTER_MS,
  })
}
