import { describe, expect, it } from 'vitest'
import type { Urgency } from '../../src/broker/governor/governor.ts'
import { createDriver, failures } from './governor-driver.ts'

/** A provider that has answered well ten times and has then refused ten grants. */
async function refusing() {
  const driver = createDriver()
  await driver.send(10, 'ok')
  await driver.send(10, failures.refused)
  return driver
}

describe('a provider that refuses grants', () => {
  it('is believed up to nine times', async () => {
    const { governor, send } = createDriver()
    await send(9, failures.refused)
    expect(governor.holdsVerdicts()).toBe(false)
    await send(1, failures.refused)
    expect(governor.holdsVerdicts()).toBe(true)
  })

  it('is believed as long as they are few among its answers', async () => {
    const { governor, send } = createDriver()
    await send(40, 'ok')
    await send(10, failures.refused)
    expect(governor.holdsVerdicts()).toBe(false)
    await send(1, failures.refused)
    expect(governor.holdsVerdicts()).toBe(true)
  })

  it('is believed where each refusal has a cause of its own', async () => {
    const { governor, pass } = createDriver()
    for (let turn = 0; turn < 20; turn++) (await pass()).failed(failures.refused, { explained: true })
    expect(governor.holdsVerdicts()).toBe(false)
  })

  it('is believed where they come within more than five minutes', async () => {
    const { clock, governor, send } = createDriver()
    for (let turn = 0; turn < 20; turn++) {
      await send(1, failures.refused)
      await clock.advance(34_000)
    }
    expect(governor.holdsVerdicts()).toBe(false)
  })

  it('is not judged by what else it is asked', async () => {
    const { governor, pass, send } = createDriver()
    for (let turn = 0; turn < 20; turn++) {
      ;(await pass('demand', { purpose: 'verify' })).failed(failures.refused)
    }
    expect(governor.holdsVerdicts()).toBe(false)
    await send(10, failures.refused)
    expect(governor.holdsVerdicts()).toBe(true)
  })
})

describe('while refusals are not believed', () => {
  it('background work probes once a minute, and callers are served', async () => {
    const { clock, governor, refusal, send } = await refusing()
    const since = clock.now()
    expect(governor.snapshot().holdingVerdictsSince).toBe(since)
    for (const urgency of ['recovery', 'renewal'] satisfies Urgency[]) {
      expect(await refusal(urgency)).toMatchObject({ why: 'refusing', retryAfterMs: 60_000 })
    }
    expect(governor.room()).toBe(0)
    await send(5, failures.refused, 'demand')
    expect(await refusal('renewal', { purpose: 'revoke' })).toBeUndefined()
    await clock.advance(60_000)
    expect(governor.room()).toBe(1)
    await send(1, failures.refused, 'renewal')
    expect(await refusal('renewal')).toMatchObject({ why: 'refusing' })
    expect(governor.snapshot().holdingVerdictsSince).toBe(since)
  })

  it('background work that waits is turned away, callers that wait are not', async () => {
    const { governor, now, pass, send } = createDriver({ concurrency: 1, perSecond: 1_000 })
    await send(9, failures.refused)
    const held = await pass()
    const demand = governor.enter('demand')
    const background = [governor.enter('renewal'), governor.enter('recovery')]
    held.failed(failures.refused)
    for (const ticket of background) expect(await now(ticket)).toMatchObject({ why: 'refusing' })
    expect(await now(demand)).toMatchObject({ admitted: true })
  })

  it('a success ends it, and the next refusal may bring it back', async () => {
    const { governor, refusal, send } = await refusing()
    await send(1, 'ok')
    expect(governor.holdsVerdicts()).toBe(false)
    expect(await refusal('renewal')).toBeUndefined()
    await send(1, failures.refused)
    expect(governor.holdsVerdicts()).toBe(true)
  })

  it('an hour ends it, and then refusals count until there is a success', async () => {
    const { clock, governor, send } = await refusing()
    await clock.advance(3_599_999)
    expect(governor.holdsVerdicts()).toBe(true)
    await clock.advance(1)
    expect(governor.holdsVerdicts()).toBe(false)
    await send(30, failures.refused)
    expect(governor.holdsVerdicts()).toBe(false)
    await send(1, 'ok')
    await send(1, failures.refused)
    expect(governor.holdsVerdicts()).toBe(true)
  })
})
