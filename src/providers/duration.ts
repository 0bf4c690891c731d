import { z } from 'zod'

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const PATTERN = /^(\d{1,6})([smhd])$/

/** A length of time as people write it: `30s`, `15m`, `24h`, `60d`. Parses to milliseconds. */
export const duration = z
  .string()
  .regex(PATTERN, 'expected a duration such as 30s, 15m, 24h or 60d')
  .transform(text => {
    const [, amount, unit] = PATTERN.exec(text) ?? []
    return Number(amount) * UNITS[unit as keyof typeof UNITS]
  })
