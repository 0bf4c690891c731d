import { describe, expect, it } from 'vitest'
import { createDriver, failures } from './governor-driver.ts'

describe('a provider that does not answer', () => {
  it.each([
    ['is not reached', failures.unreached],
    ['breaks off', failures.unknown],
  ])('is down after five requests in a row where it %s', async (_, failure) => {
    const { clock, governor, refusal, send } = createDriver()
    await send(4, failure)
    expect(await refusal()).toBeUndefined()
    await send(1, failure)
    expect(await refusal('recovery')).toMatchObject({ why: 'down', retryAfterMs: 30_000 })
    expect(await refusal('demand', { purpose: 'verify' })).toMatchObject({ why: 'down' })
    expect(governor.room()).toBe(0)
    expect(governor.snapshot()).toMatchObject({
      breaker: 'open',
      openSince: clock.now(),
      consecutiveFailures: 5,
    })
  })

  it('is down when half of ten requests in half a minute fail, however they alternate', async () => {
    const { governor, send } = createDriver()
    for (let turn = 0; turn < 4; turn++) {
      await send(1, 'ok')
      await send(1, failures.unknown)
    }
    await send(1, 'ok')
    expect(governor.snapshot().breaker).toBe('closed')
    await send(1, failures.unknown)
    expect(governor.snapshot().breaker).toBe('open')
  })

  it('is not down when the same happens over a longer time, or less than half fail', async () => {
    const { clock, governor, send } = createDriver()
    for (let turn = 0; turn < 20; turn++) {
      await send(1, 'ok')
      await send(1, failures.unknown)
      await clock.advance(8_000)
    }
    await clock.advance(30_000)
    for (let turn = 0; turn < 20; turn++) {
      await send(2, 'ok')
      await send(1, failures.unknown)
    }
    expect(governor.snapshot().breaker).toBe('closed')
  })

  it('turns those away at once who wait for their turn', async () => {
    const { governor, now, pass, send } = createDriver({ concurrency: 1, perSecond: 1_000 })
    await send(4, failures.unknown)
    const held = await pass()
    const waiting = [governor.enter('renewal'), governor.enter('recovery')]
    held.failed(failures.unknown)
    for (const ticket of waiting) expect(await now(ticket)).toMatchObject({ why: 'down' })
    expect(governor.snapshot().waiting).toBe(0)
  })

  it('is probed once in half a minute, by the first to ask', async () => {
    const { clock, governor, pass, refusal, send } = createDriver()
    const openSince = clock.now()
    await send(5, failures.unknown)
    await clock.advance(30_000)
    expect(governor.room()).toBe(1)
    const hanging = await pass('renewal')
    expect(governor.room()).toBe(0)
    expect(await refusal('recovery')).toMatchObject({ why: 'down', retryAfterMs: 30_000 })
    await clock.advance(30_000)
    const second = await pass('demand')
    hanging.failed(failures.unknown)
    second.failed(failures.unknown)
    expect(await refusal()).toMatchObject({ why: 'down' })
    expect(governor.snapshot().openSince).toBe(openSince)
  })

  it('has its probe wait for a turn like any request, and nobody else meanwhile', async () => {
    const { clock, governor, now, pass, refusal, send } = createDriver({ concurrency: 2, perSecond: 1_000 })
    await pass('demand', { purpose: 'verify' })
    await send(5, failures.unknown)
    await clock.advance(30_000)
    const hanging = await pass()
    await clock.advance(30_000)
    expect(await now(governor.enter('renewal', { patienceMs: 1_000 }))).toBeUndefined()
    expect(await refusal()).toMatchObject({ why: 'down' })
    await clock.advance(1_000)
    const probe = governor.enter('renewal', { patienceMs: 5_000 })
    expect(await now(probe)).toBeUndefined()
    hanging.failed(failures.unknown)
    expect(await now(probe)).toMatchObject({ admitted: true })
    await clock.advance(29_999)
    expect(await refusal()).toMatchObject({ why: 'down', retryAfterMs: 1_000 })
  })

  it.each([
    ['succeeds', 'ok' as const],
    ['is a refused grant', failures.refused],
    ['is a refusal of our client, which is another trouble', failures.client],
  ])('is up again when an answer %s', async (_, outcome) => {
    const { clock, governor, send } = createDriver()
    await send(5, failures.unknown)
    await clock.advance(30_000)
    await send(1, outcome)
    expect(governor.snapshot()).toMatchObject({ breaker: 'closed', openSince: undefined })
  })

  it('gets few requests at first when it is up again', async () => {
    const { clock, governor, send } = createDriver()
    await send(20, 'ok')
    expect(governor.room()).toBe(25)
    await send(5, failures.unknown)
    await clock.advance(30_000)
    await send(1, 'ok')
    expect(governor.room()).toBe(6)
  })

  it('is not judged by what was before it came back', async () => {
    const { clock, governor, pass, send } = createDriver()
    await send(20, 'ok')
    await clock.advance(31_000)
    const held = await Promise.all(Array.from({ length: 12 }, () => pass()))
    const late = held.pop()
    for (const one of held) one.failed(failures.unknown)
    late?.succeeded()
    await send(4, failures.unknown)
    expect(governor.snapshot().breaker).toBe('closed')
  })

  it('is up again when a late answer to an earlier request comes', async () => {
    const { governor, pass, refusal, send } = createDriver()
    const late = await pass()
    await send(5, failures.unknown)
    late.succeeded()
    expect(governor.snapshot().breaker).toBe('closed')
    expect(await refusal()).toBeUndefined()
  })

  it('is not found up by answers that are about something else', async () => {
    const { governor, pass, send } = createDriver()
    const verification = await pass('demand', { purpose: 'verify' })
    const revocation = await pass('renewal', { purpose: 'revoke' })
    await send(5, failures.unknown)
    verification.succeeded()
    revocation.failed(failures.refused)
    expect(governor.snapshot()).toMatchObject({ breaker: 'open', lastSuccessAt: undefined, inFlight: 0 })
  })
})

describe.each(['revoke', 'verify'] as const)(
  'a provider that does not answer, where somebody wants to %s',
  purpose => {
    const urgency = purpose === 'verify' ? 'demand' : 'renewal'

    it.each([
      ['succeeds', 'ok' as const],
      ['refuses', failures.refused],
      ['refuses our client', failures.client],
    ])('is found up again by an answer that %s', async (_, outcome) => {
      const { clock, governor, pass, refusal, send } = createDriver()
      await send(5, failures.unknown)
      await clock.advance(29_999)
      expect(await refusal(urgency, { purpose })).toMatchObject({ why: 'down', retryAfterMs: 1_000 })
      await clock.advance(1)
      const probe = await pass(urgency, { purpose })
      if (outcome === 'ok') probe.succeeded()
      else probe.failed(outcome)
      // It answers; whether it takes our client, and how it treats grants, is for a grant to find out.
      expect(governor.snapshot()).toMatchObject({
        breaker: 'closed',
        lastSuccessAt: undefined,
        misconfiguredSince: undefined,
      })
      expect(await refusal()).toBeUndefined()
    })

    it('is asked once in half a minute, and stays down while it is silent', async () => {
      const { clock, governor, pass, refusal, send } = createDriver()
      const openSince = clock.now()
      await send(5, failures.unknown)
      await clock.advance(30_000)
      const probe = await pass(urgency, { purpose })
      expect(await refusal(urgency, { purpose })).toMatchObject({ why: 'down', retryAfterMs: 30_000 })
      probe.failed(failures.unknown)
      expect(await refusal(urgency, { purpose })).toMatchObject({ why: 'down', retryAfterMs: 30_000 })
      expect(governor.snapshot()).toMatchObject({ breaker: 'open', openSince })
      await clock.advance(30_000)
      expect(await refusal(urgency, { purpose })).toBeUndefined()
    })

    it('is asked for tokens first, and as often as if nobody had', async () => {
      const { clock, governor, pass, refusal, send } = createDriver()
      await send(5, failures.unknown)
      await clock.advance(30_000)
      const hanging = await pass(urgency, { purpose })
      expect(governor.room()).toBe(1)
      await send(1, failures.unknown)
      hanging.failed(failures.unknown)
      await clock.advance(29_999)
      expect(await refusal()).toMatchObject({ why: 'down', retryAfterMs: 1_000 })
      await clock.advance(1)
      await send(1, failures.unknown)
      expect(await refusal(urgency, { purpose })).toMatchObject({ why: 'down', retryAfterMs: 30_000 })
    })
  },
)
