/** A provider that asks for less than a second is asked again after a second, for more than an hour after an hour. */
const RETRY_AFTER_MIN_MS = 1_000
const RETRY_AFTER_MAX_MS = 3_600_000

/** Milliseconds to wait by a `Retry-After` header (RFC 9110 section 10.2.3): seconds or a date. */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  if (Number.isNaN(ms)) return undefined
  return Math.min(Math.max(ms, RETRY_AFTER_MIN_MS), RETRY_AFTER_MAX_MS)
}
