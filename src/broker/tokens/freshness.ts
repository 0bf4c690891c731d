import type { Definition } from '../../providers/definition.ts'

/** What a caller needs at the least where it does not say: the smaller of this and half the lifetime. */
const MIN_TTL_DEFAULT_MS = 60_000
/** The margin where the definition states none: 10 % of the lifetime, at least this, at most half of it. */
const MARGIN_SHARE = 0.1
const MARGIN_MIN_MS = 60_000

/** What to do about a stored access token right now. */
export type Freshness = 'fresh' | 'renew' | 'wait'

/**
 * Decides whether a caller can have the stored token at once. `renew` answers the caller and starts a renewal
 * behind its back; `wait` makes it wait for one. A token without a known end is `fresh`: only a caller's
 * report can tell that it died.
 *
 * @param left     milliseconds that the token still lives; undefined = never expires or unknown
 * @param lifetime milliseconds that it lived when it was new
 * @param minTtl   milliseconds that the caller needs; undefined = the smaller of 60 s and half the lifetime
 * @param margin   milliseconds before its end at which it should be renewed
 */
export function freshness(
  left: number | undefined,
  lifetime: number,
  minTtl: number | undefined,
  margin: number,
): Freshness {
  if (left === undefined) return 'fresh'
  if (!meetsMinTtl(left, lifetime, minTtl)) return 'wait'
  return left < margin ? 'renew' : 'fresh'
}

/** Whether a token that lives that long is good enough. A token that has expired never is. */
export function meetsMinTtl(left: number | undefined, lifetime: number, minTtl: number | undefined): boolean {
  if (left === undefined) return true
  return left > 0 && left >= (minTtl ?? Math.min(MIN_TTL_DEFAULT_MS, lifetime / 2))
}

/** Milliseconds before its end at which a token of that lifetime should be renewed. */
export function renewalMargin(margin: Definition['refresh']['margin'], lifetime: number): number {
  if (typeof margin === 'number') return Math.min(margin, lifetime / 2)
  const share = margin === undefined ? MARGIN_SHARE : Number.parseInt(margin, 10) / 100
  const atLeast = margin === undefined ? MARGIN_MIN_MS : 0
  return Math.min(Math.max(lifetime * share, atLeast), lifetime / 2)
}
