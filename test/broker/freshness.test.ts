import { describe, expect, it } from 'vitest'
import { freshness, meetsMinTtl, renewalMargin } from '../../src/broker/tokens/freshness.ts'

const HOUR = 3_600_000

describe('freshness()', () => {
  it.each([
    ['exactly the margin', 360_000, 'fresh'],
    ['a millisecond less than the margin', 359_999, 'renew'],
    ['exactly what the caller needs', 60_000, 'renew'],
    ['a millisecond too little', 59_999, 'wait'],
    ['nothing', 0, 'wait'],
  ])('with %s left', (_, left, expected) => {
    expect(freshness(left, HOUR, undefined, 360_000)).toBe(expected)
  })

  it('is fresh when no end is known, whatever the caller needs', () => {
    expect(freshness(undefined, Number.POSITIVE_INFINITY, 24 * HOUR, 1)).toBe('fresh')
  })

  it('takes any unexpired token for a min_ttl of zero, and no expired one', () => {
    expect(freshness(1, HOUR, 0, 0)).toBe('fresh')
    expect(freshness(0, HOUR, 0, 0)).toBe('wait')
  })
})

describe('meetsMinTtl()', () => {
  it('needs half the lifetime where that is less than a minute', () => {
    expect(meetsMinTtl(5_000, 10_000, undefined)).toBe(true)
    expect(meetsMinTtl(4_999, 10_000, undefined)).toBe(false)
  })
})

describe('renewalMargin()', () => {
  it.each([
    ['a tenth of a long life', undefined, 24 * HOUR, 2.4 * HOUR],
    ['at least a minute', undefined, 300_000, 60_000],
    ['at most half the life', undefined, 60_000, 30_000],
    ['the share that is stated', '25%', HOUR, HOUR / 4],
    ['a small share as stated, without the minute', '1%', HOUR, 36_000],
    ['the duration that is stated', 120_000, HOUR, 120_000],
    ['a stated duration at most half the life', HOUR, HOUR, HOUR / 2],
  ])('is %s', (_, stated, lifetime, expected) => {
    expect(renewalMargin(stated, lifetime)).toBe(expected)
  })
})
