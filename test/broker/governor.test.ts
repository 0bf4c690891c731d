import { describe, expect, it } from 'vitest'
import { createDriver, failures, WIDE } from './governor-driver.ts'

describe('a provider that answers', () => {
  it('starts with few requests at a time, and gets more with each answer', async () => {
    const { governor, clock, now, pass } = createDriver({ concurrency: 8, perSecond: 1_000 })
    const held = await Promise.all(Array.from({ length: 5 }, () => pass()))
    const sixth = governor.enter('demand')
    const seventh = governor.enter('demand')
    expect(await now(seventh)).toBeUndefined()
    held[0]?.succeeded()
    expect(await now(sixth)).toMatchObject({ admitted: true })
    expect(await now(seventh)).toMatchObject({ admitted: true })
    for (const one of held) one.succeeded()
    await Promise.all(Array.from({ length: 6 }, () => pass()))
    expect(await now(governor.enter('demand'))).toBeUndefined()
    expect(governor.snapshot()).toMatchObject({ inFlight: 8, waiting: 1, lastSuccessAt: clock.now() })
  })

  it('gets no more for answers that show nothing', async () => {
    const { governor, send } = createDriver({ concurrency: 8, perSecond: 1_000 })
    await send(4, failures.unknown)
    await send(20, failures.odd)
    expect(governor.room()).toBe(5)
    await send(1, failures.parameters)
    expect(governor.room()).toBe(6)
  })

  it('starts anew after a quiet minute', async () => {
    const { governor, clock, now, pass, send } = createDriver({ concurrency: 8, perSecond: 1_000 })
    await send(20, 'ok')
    expect(governor.room()).toBe(8)
    await clock.advance(60_000)
    expect(governor.room()).toBe(5)
    await Promise.all(Array.from({ length: 5 }, () => pass()))
    expect(await now(governor.enter('demand'))).toBeUndefined()
  })

  it('counts a pass once, whatever it is told afterwards', async () => {
    const { governor, pass } = createDriver()
    const held = await pass()
    held.succeeded()
    held.failed(failures.client)
    held.unused()
    expect(governor.snapshot()).toMatchObject({
      inFlight: 0,
      consecutiveFailures: 0,
      misconfiguredSince: undefined,
    })
  })

  it('takes what waits into account in the room that it has', async () => {
    const { governor, pass } = createDriver({ concurrency: 3, perSecond: 1_000 })
    expect(governor.room()).toBe(3)
    await pass()
    expect(governor.room()).toBe(2)
    await pass()
    await pass()
    governor.enter('renewal')
    expect(governor.room()).toBe(0)
  })
})

describe('those who wait', () => {
  it('are at most ten thousand', async () => {
    const { governor, pass, refusal } = createDriver({ concurrency: 1, perSecond: 1_000 })
    await pass()
    for (let turn = 0; turn < 10_000; turn++) governor.enter('renewal')
    expect(governor.snapshot().waiting).toBe(10_000)
    expect(await refusal('recovery')).toEqual({ admitted: false, why: 'busy', retryAfterMs: 1_000 })
  })

  it('do so no longer than their patience lasts', async () => {
    const { clock, governor, now, pass } = createDriver({ concurrency: 1, perSecond: 1_000 })
    const held = await pass()
    const patient = governor.enter('demand', { patienceMs: 5_000 })
    const first = governor.enter('recovery', { patienceMs: 5_000 })
    await clock.advance(4_999)
    held.succeeded()
    expect(await now(first)).toMatchObject({ admitted: true })
    expect(await now(patient)).toBeUndefined()
    await clock.advance(1)
    expect(await now(patient)).toMatchObject({ why: 'busy' })
    expect(governor.snapshot()).toMatchObject({ waiting: 0, inFlight: 1 })
  })

  it('may become more urgent, never less, and not after their turn', async () => {
    const { governor, now, pass } = createDriver({ concurrency: 1, perSecond: 1_000 })
    const held = await pass()
    const [demand, renewal] = [governor.enter('demand'), governor.enter('renewal')]
    renewal.hasten('recovery')
    demand.hasten('renewal')
    held.succeeded()
    const entry = await now(renewal)
    if (!entry?.admitted) throw new Error('the hastened one was not first')
    expect(await now(demand)).toBeUndefined()
    renewal.hasten('recovery')
    entry.pass.succeeded()
    expect(await now(demand)).toMatchObject({ admitted: true })
  })
})

describe('the retry budget', () => {
  it('makes repeated requests wait when it is used up, and nothing else', async () => {
    const { clock, governor, now, pass } = createDriver()
    for (let turn = 0; turn < 20; turn++) (await pass('renewal', { retry: true })).failed(failures.odd)
    expect(governor.snapshot().retryBudget).toBe(0)
    const repeated = governor.enter('demand', { retry: true })
    expect(await now(repeated)).toBeUndefined()
    ;(await pass('renewal')).succeeded()
    ;(await pass('recovery', { retry: true })).succeeded()
    await clock.advance(499)
    expect(await now(repeated)).toBeUndefined()
    await clock.advance(1)
    expect(await now(repeated)).toMatchObject({ admitted: true })
    await clock.advance(60_000)
    expect(governor.snapshot().retryBudget).toBe(20)
  })

  it('gets back what was not sent, and what succeeded', async () => {
    const { governor, pass } = createDriver()
    ;(await pass('renewal', { retry: true })).succeeded()
    expect(governor.snapshot().retryBudget).toBe(20)
    ;(await pass('renewal', { retry: true })).unused()
    expect(governor.snapshot().retryBudget).toBe(20)
  })

  it('does not hold up whoever becomes a recovery', async () => {
    const { governor, now, pass } = createDriver(WIDE)
    for (let turn = 0; turn < 20; turn++) (await pass('renewal', { retry: true })).failed(failures.odd)
    const repeated = governor.enter('renewal', { retry: true })
    expect(await now(repeated)).toBeUndefined()
    repeated.hasten('recovery')
    expect(await now(repeated)).toMatchObject({ admitted: true })
  })
})
