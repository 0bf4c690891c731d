import { describe, expect, it } from 'vitest'
import type { Connection } from '../../src/broker/connection.ts'
import { ACME, brief, createWatching, failure } from './watching.ts'

const connection = { row: { id: 'c1' } } as unknown as Connection
const MINUTE = 60_000

describe('a watched connection', () => {
  it('counts as used, soon and every ten minutes, for all watchers together', async () => {
    const { set, atHand, read, clock, touched } = createWatching()
    set(ACME, () => atHand('v1', { connection }))
    for (let i = 0; i < 5; i++) read([ACME])
    await clock.advance(1_000)
    expect(touched).toEqual([connection])
    await clock.advance(30 * MINUTE)
    expect(touched).toHaveLength(4)
  })

  it('is not touched any more when nobody watches', async () => {
    const { set, atHand, read, clock, touched } = createWatching()
    set(ACME, () => atHand('v1', { connection }))
    const readers = [read([ACME]), read([ACME])]
    await clock.advance(1_000)
    for (const { end } of readers) end()
    await clock.advance(60 * MINUTE)
    expect(touched).toHaveLength(1)
  })

  it('says that its token has ended although nothing was written', async () => {
    const { set, atHand, read, clock } = createWatching()
    const end = clock.monotonic() + 20_000
    set(ACME, () => {
      const endsInMs = end - clock.monotonic()
      if (endsInMs <= 0) throw failure('PROVIDER_UNAVAILABLE')
      return atHand('v1', { endsInMs, renewInMs: endsInMs - 10_000 })
    })
    const { seen } = read([ACME])
    await clock.advance(19_999)
    expect(brief(seen)).toEqual([' v1'])
    await clock.advance(1)
    expect(brief(seen)).toEqual([' v1', ' PROVIDER_UNAVAILABLE'])
  })

  it('says within half a minute that a jump of the wall clock has ended its token', async () => {
    const { set, atHand, read, clock } = createWatching()
    const end = clock.now() + 3_600_000
    set(ACME, () => {
      const endsInMs = end - clock.now()
      if (endsInMs <= 0) throw failure('PROVIDER_UNAVAILABLE')
      return atHand('v1', { endsInMs, renewInMs: endsInMs - 60_000 })
    })
    const { seen } = read([ACME])
    await clock.advance(2_000)
    clock.jump(3_600_000)
    await clock.advance(30_000)
    expect(brief(seen)).toEqual([' v1', ' PROVIDER_UNAVAILABLE'])
  })

  it('is looked at when its token should be renewed, and again while it was not', async () => {
    const { set, atHand, read, clock } = createWatching()
    const inMargin: number[] = []
    const end = clock.monotonic() + 100_000
    set(ACME, () => {
      const endsInMs = end - clock.monotonic()
      if (endsInMs <= 60_000) inMargin.push(endsInMs)
      return atHand('v1', { endsInMs, renewInMs: endsInMs - 60_000 })
    })
    read([ACME])
    await clock.advance(99_000)
    expect(inMargin).toEqual([60_000, 30_000])
  })

  it('is refreshed again while it has expired, every half minute, and nobody hears the same twice', async () => {
    const { set, read, clock } = createWatching()
    let waits = 0
    set(ACME, () => ({
      kind: 'wait',
      wait: () => {
        waits++
        return Promise.reject(failure('PROVIDER_UNAVAILABLE'))
      },
    }))
    const { seen } = read([ACME])
    await clock.advance(5 * MINUTE)
    expect(brief(seen)).toEqual([' PROVIDER_UNAVAILABLE'])
    expect(waits).toBeGreaterThanOrEqual(10)
    expect(waits).toBeLessThanOrEqual(12)
  })

  it('that changes all the time is looked at once a second', async () => {
    const { set, atHand, upkeep, clock, counts } = createWatching()
    set(ACME, () => atHand('v1'))
    upkeep.watch(ACME, () => {})
    for (let i = 0; i < 100; i++) {
      set(ACME, () => atHand(`v${i}`))
      await clock.advance(100)
    }
    expect(counts.views).toBe(10)
  })
})
