import { describe, expect, it } from 'vitest'
import { createMachine } from './machine.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

interface Idle {
  readonly days: number
  /** Of its access tokens, in milliseconds. */
  readonly lifetime: number
  /** Jitter. Default: none. */
  readonly fraction?: number
  /** Who the broker is among several. Default: it is the only one. */
  readonly replica?: string
}

/** A running broker with one connection that nobody has used for that long. */
async function createIdle({ days, lifetime, fraction = 0, replica }: Idle) {
  const machine = createMachine({ definition: { refresh: { keep_alive: '40d' } }, fraction })
  const { clock, server } = machine
  server.lifetime = lifetime / 1_000
  const process = await machine.run({ replica })
  await process.connect()
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= HOUR) {
      clock.jump(Math.min(left, HOUR) - SECOND)
      await clock.advance(SECOND)
    }
  }
  await pass(days * DAY)
  const sent = () => server.http.sent.length
  return { ...machine, ...process, pass, sent }
}

describe('a connection that is used again after more than a week', () => {
  it('is renewed ahead after the refresh that the first caller waits for', async () => {
    const { token, pass, sent } = await createIdle({ days: 10, lifetime: HOUR })
    const first = await token()
    const before = sent()
    await pass(10 * MINUTE)
    expect(await token()).toBe(first)
    await pass(45 * MINUTE)
    expect(sent()).toBe(before + 1)
    expect(await token()).not.toBe(first)
    expect(sent()).toBe(before + 1)
  })

  it('and refreshed while nobody used it is renewed ahead of its expiry', async () => {
    const { token, pass, sent } = await createIdle({ days: 41, lifetime: 30 * DAY })
    // What keeps its refresh token alive has renewed it on day 40.
    expect(sent()).toBe(2)
    const first = await token()
    await pass(25 * DAY)
    expect(await token()).toBe(first)
    await pass(2 * DAY)
    expect(sent()).toBe(3)
    expect(await token()).not.toBe(first)
  })

  it('after the moment at which it would have been renewed, and before its margin, is renewed then', async () => {
    const { token, pass, sent } = await createIdle({ days: 26.6, lifetime: 30 * DAY, fraction: 0.9 })
    expect(await token()).toBe('at-1')
    await pass(HOUR)
    expect(sent()).toBe(2)
    expect(await token()).toBe('at-2')
  })

  it('is not put off by another broker that has not heard of the use', async () => {
    const { boot, clock, sent } = await createIdle({
      ...{ days: 26.6, lifetime: 30 * DAY, fraction: 0.9 },
      replica: 'a',
    })
    const other = boot({ replica: 'b' })
    expect(await other.token()).toBe('at-1')
    await clock.advance(2 * SECOND)
    expect(sent()).toBe(2)
  })

  it('is planned once, not at every use', async () => {
    const { token, clock, store } = await createIdle({ days: 10, lifetime: 30 * DAY })
    const { enrichConnection } = store
    let plans = 0
    store.enrichConnection = (...input) => {
      plans++
      return enrichConnection(...input)
    }
    for (let uses = 0; uses < 100; uses++) await token()
    await clock.advance(2_000)
    for (let uses = 0; uses < 100; uses++) await token()
    expect(plans).toBeLessThanOrEqual(1)
  })
})
