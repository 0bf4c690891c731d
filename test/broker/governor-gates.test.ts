import { describe, expect, it } from 'vitest'
import { createDriver, failures } from './governor-driver.ts'

describe('a provider that asks to wait', () => {
  it('is sent nothing until then, by nobody', async () => {
    const { governor, clock, refusal, send } = createDriver()
    await send(1, failures.limitedFor(40_000))
    for (const urgency of ['recovery', 'demand', 'renewal'] as const) {
      expect(await refusal(urgency)).toMatchObject({ why: 'rate_limited', retryAfterMs: 40_000 })
    }
    expect(await refusal('demand', { purpose: 'verify' })).toMatchObject({ why: 'rate_limited' })
    expect(governor.room()).toBe(0)
    expect(governor.snapshot().blockedUntil).toBe(clock.now() + 40_000)
    await clock.advance(39_999)
    expect(await refusal()).toMatchObject({ retryAfterMs: 1_000 })
    await clock.advance(1)
    expect(await refusal()).toBeUndefined()
    expect(governor.snapshot().blockedUntil).toBeUndefined()
  })

  it('is left alone for ten seconds if it does not say for how long', async () => {
    const { clock, refusal, send } = createDriver()
    await send(1, failures.limited)
    await clock.advance(9_999)
    expect(await refusal()).toMatchObject({ why: 'rate_limited' })
    await clock.advance(1)
    expect(await refusal()).toBeUndefined()
  })

  it('is waited for as long as its longest answer says, whatever else it answers meanwhile', async () => {
    const { clock, governor, pass, refusal } = createDriver()
    const held = [await pass(), await pass(), await pass()]
    held[0]?.failed(failures.limitedFor(60_000))
    held[1]?.failed(failures.limitedFor(5_000))
    held[2]?.succeeded()
    await clock.advance(59_999)
    expect(await refusal()).toMatchObject({ why: 'rate_limited' })
    expect(governor.snapshot().blockedUntil).toBe(clock.now() + 1)
  })

  it('turns those away at once who wait for their turn', async () => {
    const { governor, now, pass } = createDriver({ concurrency: 1, perSecond: 1_000 })
    const held = await pass()
    const waiting = governor.enter('recovery')
    expect(await now(waiting)).toBeUndefined()
    held.failed(failures.limitedFor(5_000))
    expect(await now(waiting)).toEqual({ admitted: false, why: 'rate_limited', retryAfterMs: 5_000 })
  })

  it('is waited for by the monotonic clock', async () => {
    const { clock, governor, refusal, send } = createDriver()
    await send(1, failures.limitedFor(40_000))
    clock.jump(3_600_000)
    expect(await refusal()).toMatchObject({ retryAfterMs: 40_000 })
    expect(governor.snapshot().blockedUntil).toBe(clock.now() + 40_000)
  })
})

describe('a provider that refuses our client', () => {
  it.each([failures.client, failures.unsupported])('is probed once a minute, $class', async failure => {
    const { clock, governor, refusal, pass, send } = createDriver()
    const since = clock.now()
    await send(1, failure)
    expect(await refusal('recovery')).toMatchObject({ why: 'misconfigured', retryAfterMs: 60_000 })
    expect(governor.room()).toBe(0)
    await clock.advance(60_000)
    expect(governor.room()).toBe(1)
    const probe = await pass('renewal')
    expect(await refusal()).toMatchObject({ why: 'misconfigured', retryAfterMs: 60_000 })
    probe.failed(failure)
    await clock.advance(59_999)
    expect(await refusal()).toMatchObject({ why: 'misconfigured' })
    await clock.advance(1)
    expect(await refusal()).toBeUndefined()
    expect(governor.snapshot().misconfiguredSince).toBe(since)
  })

  it.each([
    ['an outage', failures.unknown],
    ['a limit', failures.limitedFor(1_000)],
    ['an answer that says nothing', failures.odd],
    ['an answer that may mean anything', failures.ambiguous],
  ])('still does after %s', async (_, failure) => {
    const { clock, governor, send } = createDriver()
    await send(1, failures.client)
    await clock.advance(60_000)
    await send(1, failure)
    expect(governor.snapshot().misconfiguredSince).toBeDefined()
  })

  it.each([
    ['a success', 'ok' as const],
    ['a refused grant', failures.refused],
    ['refused parameters', failures.parameters],
  ])('does no longer after %s', async (_, outcome) => {
    const { clock, governor, refusal, send } = createDriver()
    await send(1, failures.client)
    await clock.advance(60_000)
    await send(1, outcome)
    expect(governor.snapshot().misconfiguredSince).toBeUndefined()
    expect(await refusal()).toBeUndefined()
    expect(governor.room()).toBeGreaterThan(1)
  })

  it('may be asked what needs no client', async () => {
    const { refusal, send } = createDriver()
    await send(1, failures.client)
    expect(await refusal('demand', { purpose: 'verify' })).toBeUndefined()
    expect(await refusal('demand', { purpose: 'revoke' })).toMatchObject({ why: 'misconfigured' })
  })

  it('is sent a revocation once a minute where nobody asks for tokens, which proves nothing about our client', async () => {
    const { clock, governor, pass, refusal, send } = createDriver()
    const revoke = ['renewal', { purpose: 'revoke' }] as const
    await send(1, failures.client)
    await clock.advance(60_000)
    const revocation = await pass(...revoke)
    expect(await refusal(...revoke)).toMatchObject({ why: 'misconfigured', retryAfterMs: 60_000 })
    revocation.succeeded()
    expect(governor.snapshot().misconfiguredSince).toBeDefined()
    expect(await refusal(...revoke)).toMatchObject({ why: 'misconfigured' })
    await send(1, failures.client)
    await clock.advance(59_999)
    expect(await refusal(...revoke)).toMatchObject({ why: 'misconfigured', retryAfterMs: 1_000 })
    await clock.advance(1)
    expect(await refusal(...revoke)).toBeUndefined()
  })

  it('is probed by the next to ask if the probe was not sent', async () => {
    const { clock, governor, pass, refusal, send } = createDriver()
    await send(1, failures.client)
    await clock.advance(60_000)
    const probe = await pass()
    expect(await refusal()).toMatchObject({ why: 'misconfigured' })
    probe.unused()
    expect(governor.room()).toBe(1)
    await send(1, 'ok')
    expect(await refusal()).toBeUndefined()
  })
})
