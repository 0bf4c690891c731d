import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { grantTo } from './grant-to.ts'
import { createMachine } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A running broker with one connection. */
async function createConnected() {
  const machine = createMachine()
  const process = await machine.run()
  await process.connect()
  return { ...machine, ...process }
}

describe('a clock that is set ten days ahead', () => {
  it('makes everything due, within the limits of the provider; nobody is flagged, nothing is lost', async () => {
    const machine = createMachine({ provider: { limits: { concurrency: 4, perSecond: 10 } } })
    const { clock, server } = machine
    const process = await machine.run()
    const accounts = Array.from({ length: 300 }, (_, index) => `account-${index}`)
    await grantTo(machine, process, accounts)
    for (const account of accounts) await process.token({ account })
    const before = server.http.sent.length
    clock.jump(10 * DAY)
    await clock.advance(10 * SECOND)
    expect(server.http.sent.length - before).toBeLessThanOrEqual(10 * 10 + 10)
    for (const account of accounts) {
      const { state, connected } = await process.status({ account })
      expect({ state, connected }).toEqual({ state: 'ACTIVE', connected: true })
    }
    const answers = await Promise.all([
      ...accounts.map(account => process.token({ account })),
      clock.advance(MINUTE),
    ])
    const served = answers.filter(answer => typeof answer === 'string' && answer.startsWith('at-'))
    expect(served.filter(token => Number(token?.slice(3)) <= 300)).toEqual([])
    expect(server.inFlight.max).toBeLessThanOrEqual(4)
  })

  it('asks nobody for consent, though a token without a refresh token is asked for at once', async () => {
    const definition = { answer: { refresh_token: '/none', provider_account_id: '/account' } }
    const machine = createMachine({ definition })
    const { connect, token, status } = await machine.run()
    await connect()
    machine.clock.jump(10 * DAY)
    await token()
    expect((await status()).state).toBe('ACTIVE')
  })

  it('ends no grant by its age: the first refusal is confirmed like any other', async () => {
    const definition = { refresh: { refresh_lifetime: { of: '5d', kind: 'absolute' } } }
    const { clock, server, run } = createMachine({ definition })
    const { connect, status, token } = await run()
    await connect()
    server.script.push(answers.refused)
    clock.jump(10 * DAY)
    expect(await token()).toBe('PROVIDER_UNAVAILABLE')
    expect(await status()).toMatchObject({ state: 'ACTIVE', consecutiveFailures: 1 })
    await clock.advance(30 * SECOND)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('and back again is survived by a restart in between and after', async () => {
    const { clock, broker, run } = await createConnected()
    clock.jump(10 * DAY)
    await clock.advance(2 * MINUTE)
    await broker.stop()
    const ahead = await run()
    expect(await ahead.token()).toMatch(/^at-/)
    await ahead.broker.stop()
    clock.jump(-10 * DAY)
    const back = await run()
    const before = await back.token()
    expect(before).toMatch(/^at-/)
    expect(await back.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    await clock.advance(MINUTE)
    expect(await back.token()).toBe(before)
  })
})

describe('a provider whose clock is hours behind ours', () => {
  it('has its tokens neither useless nor renewed in a loop where it states their end', async () => {
    const answer = { expires: { at: '/expires_at', as: 'iso8601' } }
    const { clock, server, run } = createMachine({ definition: { answer } })
    let aheadMs = 0
    server.always = act => {
      const { status, body } = act()
      const end = new Date(clock.now() - aheadMs + HOUR).toISOString()
      return { status, body: { ...(body as object), expires_at: end } }
    }
    const { connect, get, token } = await run()
    await connect()
    aheadMs = 2 * HOUR
    clock.jump(aheadMs)
    const before = server.http.sent.length
    expect(await token()).toBe('at-2')
    await clock.advance(10 * MINUTE)
    expect(server.http.sent.length - before).toBe(1)
    expect(await get()).toMatchObject({ expiry: 'UNKNOWN', degraded: undefined })
  })
})

describe('a clock that is set back an hour', () => {
  it('does not prolong a token in the same run', async () => {
    const { clock, broker, token, server } = await createConnected()
    await broker.stop()
    await clock.advance(30 * MINUTE)
    clock.jump(-HOUR)
    await clock.advance(29 * MINUTE + 59 * SECOND)
    expect(await token({ minTtlMs: 0 })).toBe('at-1')
    await clock.advance(SECOND)
    expect(await token({ minTtlMs: 0 })).toBe('at-2')
    expect(server.accepts(server.current())).toBe(true)
  })

  it('does not delay the retry of an unknown outcome, even right after it was set ahead', async () => {
    const { clock, broker, token, server, status } = await createConnected()
    server.replay = 'same'
    clock.jump(HOUR)
    server.script.push(acted.lost, acted.lost)
    const caller = token()
    await settle()
    clock.jump(-10 * MINUTE)
    await clock.advance(15 * SECOND)
    await caller
    expect(await status()).toMatchObject({ healthy: true, outcomeUnknownSince: undefined })
    await broker.stop()
  })

  it('before a restart makes every stored access token count as expired, and says so', async () => {
    const { clock, crash, run } = await createConnected()
    await clock.advance(2 * MINUTE)
    crash()
    clock.jump(-HOUR)
    const restarted = await run()
    expect(restarted.log).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringMatching(/clock is behind the last run/),
      }),
    )
    expect(await restarted.token()).toBe('at-2')
    expect(await restarted.token()).toBe('at-2')
  })

  it('before a restart serves nothing at all of them while the provider is down', async () => {
    const { clock, crash, run, server } = await createConnected()
    await clock.advance(2 * MINUTE)
    crash()
    clock.jump(-HOUR)
    server.always = { status: 503 }
    const restarted = await run()
    expect(await restarted.token()).toBe('PROVIDER_UNAVAILABLE')
    expect(await restarted.status()).toMatchObject({ state: 'ACTIVE' })
    server.always = undefined
    await clock.advance(MINUTE)
    expect(await restarted.token()).toMatch(/^at-/)
  })

  it('before a restart delays no revocation that was filed just after the clock was set ahead', async () => {
    const { clock, crash, run, disconnect, server } = await createConnected()
    clock.jump(10 * HOUR)
    await clock.advance(10 * SECOND)
    server.script.push({ status: 503 })
    expect(await disconnect()).toMatchObject({ revocation: 'PENDING' })
    crash()
    clock.jump(-10 * HOUR)
    await run()
    await clock.advance(2 * MINUTE)
    expect(server.revoked).toEqual(['rt-2'])
  })

  it('by less than a minute before a restart is nothing', async () => {
    const { clock, crash, run } = await createConnected()
    await clock.advance(2 * MINUTE)
    crash()
    clock.jump(-59 * SECOND)
    expect(await (await run()).token()).toBe('at-1')
  })
})

describe('a clock that is set back in a run', () => {
  it('does not delay the renewal of what was renewed before', async () => {
    const { clock, token, server } = await createConnected()
    await token()
    await clock.advance(2 * MINUTE)
    clock.jump(-2 * HOUR)
    await clock.advance(57 * MINUTE)
    expect(await token()).toBe('at-2')
    expect(server.http.sent).toHaveLength(2)
  })

  it('does not delay what keeps the refresh token alive', async () => {
    const { clock, run, server } = createMachine({ definition: { refresh: { keep_alive: '10h' } } })
    server.lifetime = 30 * 86_400
    await (await run()).connect()
    await clock.advance(9 * HOUR)
    clock.jump(-5 * HOUR)
    await clock.advance(59 * MINUTE)
    expect(server.http.sent).toHaveLength(1)
    await clock.advance(2 * MINUTE)
    expect(server.http.sent).toHaveLength(2)
  })
})

describe('a clock that is set while a refresh is under way', () => {
  it.each([
    ['ten minutes ahead', 10 * MINUTE],
    ['ten minutes back', -10 * MINUTE],
    ['ten days ahead', 10 * DAY],
    ['a day back', -DAY],
  ])('costs nothing: %s', async (_, by) => {
    const { clock, token, server, status } = await createConnected()
    const gate = Promise.withResolvers<void>()
    server.replay = 'single_use_family'
    clock.jump(HOUR)
    server.script.push(acted.late(gate.promise))
    void token()
    await settle()
    clock.jump(by)
    gate.resolve()
    await clock.advance(5 * SECOND)
    expect(await token()).toMatch(/^at-/)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })

  it('ahead does not stop its retries', async () => {
    const { clock, token, server, status } = await createConnected()
    server.replay = 'same'
    clock.jump(HOUR)
    server.script.push(acted.lost, acted.lost)
    await token()
    clock.jump(10 * MINUTE)
    await clock.advance(15 * SECOND)
    expect(await status()).toMatchObject({ healthy: true, outcomeUnknownSince: undefined })
  })

  it('back does not keep callers from the next try', async () => {
    const { clock, token, server } = await createConnected()
    server.replay = 'window'
    clock.jump(HOUR)
    server.script.push(acted.lost)
    await token()
    clock.jump(-10 * MINUTE)
    await clock.advance(SECOND)
    expect(await token()).toMatch(/^at-/)
    expect(server.accepts(server.current())).toBe(true)
  })
})
