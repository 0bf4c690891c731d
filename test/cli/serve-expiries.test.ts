import { describe, expect, it } from 'vitest'
import { watchExpiries } from '../../src/cli/serve-expiries.ts'
import type { Expiry } from '../../src/config/expiries.ts'
import { createFakeClock } from '../broker/fake-clock.ts'

const DAY_MS = 86_400_000

function watch(days: number) {
  const clock = createFakeClock()
  const lines: string[] = []
  const say = (level: string) => (message: string) => void lines.push(`${level}: ${message}`)
  const expiry: Expiry = {
    what: 'the token of the caller a',
    expiresAtMs: clock.now() + days * DAY_MS,
    advice: 'x',
  }
  const current = { expiries: [expiry] as readonly Expiry[] }
  const stop = watchExpiries(async () => current.expiries, { warn: say('warn'), error: say('error') }, clock)
  return { clock, lines, current, stop }
}

describe('watchExpiries()', () => {
  it('says it when 14 days, 7 days and a day are left, once each, and at the end', async () => {
    const { clock, lines } = watch(15)
    await clock.advance(0.9 * DAY_MS)
    expect(lines).toEqual([])
    await clock.advance(0.2 * DAY_MS)
    expect(lines).toEqual(['warn: Expires within 14 days'])
    await clock.advance(6 * DAY_MS)
    expect(lines).toEqual(['warn: Expires within 14 days'])
    await clock.advance(1 * DAY_MS)
    await clock.advance(6 * DAY_MS)
    await clock.advance(1 * DAY_MS)
    expect(lines).toEqual([
      'warn: Expires within 14 days',
      'warn: Expires within 7 days',
      'warn: Expires within a day',
      'error: Expired',
    ])
  })

  it('says at the start what is near already', async () => {
    const { clock, lines } = watch(0.5)
    await clock.advance(0)
    expect(lines).toEqual(['warn: Expires within a day'])
  })

  it('looks at what there is now, and stops', async () => {
    const { clock, lines, current, stop } = watch(10)
    await clock.advance(0)
    expect(lines).toEqual(['warn: Expires within 14 days'])
    current.expiries = []
    await clock.advance(10 * DAY_MS)
    expect(lines).toHaveLength(1)
    stop()
    current.expiries = [{ what: 'x', expiresAtMs: clock.now(), advice: 'x' }]
    await clock.advance(DAY_MS)
    expect(lines).toHaveLength(1)
  })
})
