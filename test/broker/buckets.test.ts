import { describe, expect, it } from 'vitest'
import { createBuckets } from '../../src/broker/policy/buckets.ts'
import { createForcedLimit, FORCED_PER_CALLER_MAX } from '../../src/broker/policy/caller-limit.ts'

/** Buckets at a time that the test sets. */
function createWorld() {
  const clock = { ms: 0, monotonic: () => clock.ms }
  return { clock, buckets: createBuckets(clock) }
}

describe('take()', () => {
  it('gives a minute’s worth at once, then says when there is more, to the millisecond', () => {
    const { clock, buckets } = createWorld()
    for (let i = 0; i < 6; i++) expect(buckets.take('a', 6)).toBe(0)
    expect(buckets.take('a', 6)).toBe(10_000)
    clock.ms = 9_999
    expect(buckets.take('a', 6)).toBe(1)
    clock.ms = 10_000
    expect(buckets.take('a', 6)).toBe(0)
    expect(buckets.take('a', 6)).toBe(10_000)
  })

  it('leaves others alone', () => {
    const { buckets } = createWorld()
    expect(buckets.take('a', 1)).toBe(0)
    expect(buckets.take('a', 1)).toBe(60_000)
    expect(buckets.take('b', 1)).toBe(0)
  })

  it('saves up no more than a minute’s worth', () => {
    const { clock, buckets } = createWorld()
    buckets.take('a', 2)
    clock.ms = 3_600_000
    expect([1, 2, 3].map(() => buckets.take('a', 2))).toEqual([0, 0, 30_000])
  })

  it('follows a limit that changes, without giving again what was taken', () => {
    const { clock, buckets } = createWorld()
    for (let i = 0; i < 60; i++) buckets.take('a', 60)
    expect(buckets.take('a', 600)).toBe(100)
    clock.ms = 60_000
    expect([buckets.take('a', 1), buckets.take('a', 1)]).toEqual([0, 60_000])
  })

  it('forgets the name counted longest ago when there are too many', () => {
    const { buckets } = createWorld()
    buckets.take('first', 1)
    for (let i = 0; i < 9_999; i++) buckets.take(`name-${i}`, 1)
    expect(buckets.take('first', 1)).toBe(60_000)
    for (let i = 0; i < 10_000; i++) buckets.take(`other-${i}`, 1)
    expect(buckets.take('first', 1)).toBe(0)
  })
})

describe('the limit of forced refreshes', () => {
  it('refuses one caller what is too much, says when to come again, and leaves others alone', () => {
    const { clock } = createWorld()
    const limit = createForcedLimit(clock)
    for (let i = 0; i < FORCED_PER_CALLER_MAX; i++) limit.admit('a')
    const details = { retryAfterMs: 60_000 / FORCED_PER_CALLER_MAX }
    expect(() => limit.admit('a')).toThrow(
      expect.objectContaining({ reason: 'RATE_LIMITED', details: expect.objectContaining(details) }),
    )
    limit.admit('b')
    clock.ms = 100
    limit.admit('a')
  })
})
