const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const UNITS = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS } as const
const DURATION = /^(\d{1,6})([smhd])$/

/** Below twice a unit, the smaller one says more: "90 min" rather than "1 h". */
const STEPS = [
  [DAY_MS, 'd'],
  [HOUR_MS, 'h'],
  [MINUTE_MS, 'min'],
  [SECOND_MS, 's'],
] as const

/** Reads `30s`, `15m`, `24h` or `90d` as milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? []
  return unit === undefined ? undefined : Number(amount) * UNITS[unit as keyof typeof UNITS]
}

/** A length of time in one unit, rounded down: `29 min`, `36 h`, `12 d`. */
export function formatDuration(ms: number): string {
  const [size, unit] = STEPS.find(([size]) => ms >= 2 * size) ?? [SECOND_MS, 's']
  return `${Math.floor(ms / size)} ${unit}`
}

/** A time as seen from now: `in 29 min (2026-11-20T21:45:00Z)`, `3 h ago (…)`. Undefined stays undefined. */
export function formatTime(time: Date | undefined, now: number): string | undefined {
  return time === undefined ? undefined : `${formatRelative(time, now)} (${formatInstant(time)})`
}

/** The distance alone: `in 29 min`, `3 h ago`, `now`. */
export function formatRelative(time: Date, now: number): string {
  const distance = time.getTime() - now
  if (Math.abs(distance) < SECOND_MS) return 'now'
  return distance > 0 ? `in ${formatDuration(distance)}` : `${formatDuration(-distance)} ago`
}

/** UTC to the second, as RFC 3339 writes it. */
export function formatInstant(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}
