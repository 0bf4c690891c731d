import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { createMachine } from './machine.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A running broker with one connection, whose token lives an hour. */
async function createConnected(refresh: object = {}, lifetime = HOUR / SECOND) {
  const definition = { refresh: { kills_access_token: true, ...refresh } }
  const machine = createMachine({ definition })
  machine.server.lifetime = lifetime
  const process = await machine.run()
  await process.connect()
  return { ...machine, ...process }
}

describe('rotates_not_before', () => {
  it('is not set where a refresh leaves the previous access token alone', async () => {
    const { get } = await createConnected({ kills_access_token: false })
    expect((await get()).rotatesNotBefore).toBeUndefined()
  })

  it('is when the token is renewed, and it is not renewed before', async () => {
    const { clock, get, token } = await createConnected()
    const { rotatesNotBefore = 0, expiresAt } = await get()
    expect(rotatesNotBefore).toBe((expiresAt ?? 0) - 6 * MINUTE)
    await clock.advance(rotatesNotBefore - clock.now() - 2 * SECOND)
    expect(await token()).toBe('at-1')
    await clock.advance(4 * SECOND)
    expect(await token()).toBe('at-2')
  })

  it('is when the refresh token is kept alive, if that comes first', async () => {
    const { clock, get } = await createConnected({ keep_alive: '10d' }, (30 * DAY) / SECOND)
    expect((await get()).rotatesNotBefore).toBe(clock.now() + 10 * DAY)
  })

  it('is no later than a caller may cause the renewal, though nobody used it and none is planned so soon', async () => {
    const { broker, clock, get, name, token } = await createConnected({ keep_alive: '30d' })
    await broker.stop()
    await clock.advance(8 * DAY)
    expect(await broker.refresh(name)).toMatchObject({
      refreshed: true,
      status: { nextRefreshAt: clock.now() + 30 * DAY },
    })
    const { rotatesNotBefore = 0, expiresAt = 0 } = await get()
    expect(rotatesNotBefore).toBe(expiresAt - 6 * MINUTE)
    await clock.advance(54 * MINUTE)
    expect(await token({ minTtlMs: 0 })).toBe('at-2')
    await clock.advance(1)
    await token({ minTtlMs: 0 })
    await settle()
    expect(await token()).toBe('at-3')
  })
})

describe('before rotates_not_before', () => {
  it('another caller with a longer min_ttl ends nobody’s token, and learns what it can have', async () => {
    const { clock, get, token, server } = await createConnected()
    expect(await token()).toBe('at-1')
    await clock.advance(20 * MINUTE)
    const error = await get({ minTtlMs: 50 * MINUTE }).catch(caught => caught)
    expect(error).toMatchObject({
      reason: 'MIN_TTL_UNREACHABLE',
      details: {
        metadata: { lifetime_seconds: '3600', left_seconds: '2400' },
        retryAfterMs: 34 * MINUTE,
      },
    })
    expect(server.honours('at-1')).toBe(true)
    expect(server.http.sent).toHaveLength(1)
    expect(await token({ minTtlMs: 40 * MINUTE })).toBe('at-1')
    expect(await token({ minTtlMs: 40 * MINUTE + 1 })).toBe('MIN_TTL_UNREACHABLE')
  })

  it('a min_ttl beyond what the provider issues is told the lifetime', async () => {
    const { get } = await createConnected()
    const error = await get({ minTtlMs: 2 * HOUR }).catch(caught => caught)
    expect(error.reason).toBe('MIN_TTL_UNREACHABLE')
    expect(error.details).toEqual({ metadata: { provider: 'acme', account: '', lifetime_seconds: '3600' } })
  })

  it('whoever states no min_ttl gets what there is', async () => {
    const { clock, get, token, server } = await createConnected({ margin: '1%' })
    await clock.advance(HOUR - 40 * SECOND)
    expect(await token()).toBe('at-1')
    expect((await get()).rotatesNotBefore).toBe(clock.now() + 4 * SECOND)
    expect(server.http.sent).toHaveLength(1)
    await clock.advance(6 * SECOND)
    expect(await token()).toBe('at-2')
  })

  it('a token that was reported as rejected is replaced', async () => {
    const { get, token } = await createConnected()
    const { version } = await get()
    expect(await token({ rejectedVersion: version })).toBe('at-2')
  })

  it('an operator may refresh, and whoever asks for more meanwhile joins', async () => {
    const { clock, broker, name, token, server } = await createConnected()
    await clock.advance(20 * MINUTE)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const forced = broker.refresh(name)
    await settle()
    const patient = token({ minTtlMs: 50 * MINUTE })
    await settle()
    gate.resolve()
    expect(await forced).toMatchObject({ refreshed: true })
    expect(await patient).toBe('at-2')
    expect(server.http.sent).toHaveLength(2)
  })
})

describe('after rotates_not_before', () => {
  it('a min_ttl has the token renewed', async () => {
    const { broker, clock, token } = await createConnected()
    await broker.stop()
    await clock.advance(54 * MINUTE)
    expect(await token({ minTtlMs: 50 * MINUTE })).toBe('at-2')
  })
})

it('where a refresh leaves the previous access token alone, a min_ttl has it renewed at any time', async () => {
  const { clock, token } = await createConnected({ kills_access_token: false })
  await clock.advance(20 * MINUTE)
  expect(await token({ minTtlMs: 50 * MINUTE })).toBe('at-2')
})
