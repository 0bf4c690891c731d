import type { Clock } from '../ports.ts'

const MINUTE_MS = 60_000
/** Names counted at once; the one counted longest ago is forgotten first. As many as there can be callers. */
const COUNTED_MAX = 10_000

/** Token buckets by name: a minute's worth may come at once, from then on as many as flow in. */
export interface Buckets {
  /**
   * Takes one token.
   *
   * @param perMinute how many flow in; a change counts from now on
   * @returns 0 if there was one, else in how many milliseconds there will be; then nothing was taken
   */
  take(name: string, perMinute: number): number
}

/** Creates the buckets, all full. */
export function createBuckets(clock: Pick<Clock, 'monotonic'>): Buckets {
  const buckets = new Map<string, { readonly level: number; readonly at: number }>()

  return {
    take(name, perMinute) {
      const now = clock.monotonic()
      const last = buckets.get(name)
      const inflow = last === undefined ? perMinute : ((now - last.at) * perMinute) / MINUTE_MS
      const level = Math.min(perMinute, (last?.level ?? 0) + inflow)
      const isThere = level >= 1
      buckets.delete(name)
      buckets.set(name, { level: isThere ? level - 1 : level, at: now })
      const oldest = buckets.keys().next().value
      if (buckets.size > COUNTED_MAX && oldest !== undefined) buckets.delete(oldest)
      return isThere ? 0 : Math.ceil(((1 - level) * MINUTE_MS) / perMinute)
    },
  }
}
