import { describe, expect, it } from 'vitest'
import { createProbe } from '../../src/broker/governor/gate.ts'
import { createRamp, createRate } from '../../src/broker/governor/pace.ts'
import { createWindow } from '../../src/broker/governor/window.ts'
import { createFakeClock } from './fake-clock.ts'
import { createDriver } from './governor-driver.ts'

describe('createRate()', () => {
  it('starts a second’s worth at once and spaces the rest', async () => {
    const clock = createFakeClock()
    const rate = createRate(4, clock)
    for (let turn = 0; turn < 4; turn++) {
      expect(rate.waitMs()).toBe(0)
      rate.take()
    }
    expect(rate.waitMs()).toBe(250)
    await clock.advance(250)
    expect(rate.waitMs()).toBe(0)
    rate.take()
    expect(rate.waitMs()).toBe(250)
  })

  it('does not save up more than a second’s worth', async () => {
    const clock = createFakeClock()
    const rate = createRate(4, clock)
    await clock.advance(3_600_000)
    for (let turn = 0; turn < 4; turn++) rate.take()
    expect(rate.waitMs()).toBe(250)
  })

  it('lets something go where less than one a second is allowed', async () => {
    const clock = createFakeClock()
    const rate = createRate(0.1, clock)
    expect(rate.waitMs()).toBe(0)
    rate.take()
    expect(rate.waitMs()).toBe(10_000)
    await clock.advance(10_000)
    expect(rate.waitMs()).toBe(0)
  })
})

describe('createRamp()', () => {
  it('never exceeds the concurrency', () => {
    const ramp = createRamp(2, createFakeClock())
    expect(ramp.width()).toBe(2)
    for (let turn = 0; turn < 9; turn++) ramp.grow()
    expect(ramp.width()).toBe(2)
  })
})

describe('createProbe()', () => {
  it.each(['grant', 'revoke'] as const)(
    'takes back a claimed %s when its gate closes anew',
    async purpose => {
      const clock = createFakeClock()
      const asked = { urgency: 'renewal', purpose } as const
      const probe = createProbe(30_000, clock)
      const claim = probe.claim(asked)
      expect(claim.isValid()).toBe(true)
      probe.arm()
      expect(claim.isValid()).toBe(false)
      claim.giveBack()
      expect(probe.waitMs(asked)).toBe(30_000)
      await clock.advance(30_000)
      expect(probe.waitMs(asked)).toBe(0)
    },
  )
})

describe('createWindow()', () => {
  it('counts what is within its span and forgets the rest', () => {
    const window = createWindow(30_000)
    window.add(0, true)
    window.add(15_000, false)
    expect(window.count(29_999)).toEqual({ all: 2, marked: 1 })
    expect(window.count(30_000)).toEqual({ all: 1, marked: 0 })
    window.clear()
    expect(window.count(30_000)).toEqual({ all: 0, marked: 0 })
  })
})

describe('a governor with a rate', () => {
  it('lets those in who wait as soon as it allows', async () => {
    const { governor, clock } = createDriver({ concurrency: 100, perSecond: 4 })
    let admitted = 0
    for (let turn = 0; turn < 8; turn++) {
      void governor.enter('demand').entered.then(entry => {
        if (!entry.admitted) return
        admitted++
        entry.pass.succeeded()
      })
    }
    await clock.advance(0)
    expect(admitted).toBe(4)
    await clock.advance(249)
    expect(admitted).toBe(4)
    await clock.advance(1)
    expect(admitted).toBe(5)
    await clock.advance(750)
    expect(admitted).toBe(8)
    expect(governor.snapshot()).toMatchObject({ waiting: 0, inFlight: 0 })
  })
})
