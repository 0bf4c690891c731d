import { describe, expect, it } from 'vitest'
import { createMachine, type MachineOptions } from './machine.ts'
import { answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A running broker whose only connection the provider has refused twice. */
async function createRefused(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const { clock, server } = machine
  const process = await machine.run()
  await process.connect()
  await clock.advance(HOUR - 362 * SECOND)
  server.always = answers.refused
  await clock.advance(35 * SECOND)
  expect((await process.status()).state).toBe('REAUTH_REQUIRED')
  const refreshes = () => server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return { ...machine, ...process, process, refreshes }
}

describe('a connection that is REAUTH_REQUIRED', () => {
  it('still answers a good access token, to everybody who takes it', async () => {
    const { clock, get, token, status } = await createRefused()
    expect(await get()).toMatchObject({ degraded: { reason: 'REAUTH_REQUIRED' } })
    expect(await status()).toMatchObject({ connected: true, healthy: false })
    await clock.advance(5 * MINUTE)
    expect(await token({ minTtlMs: 0 })).toBe('at-1')
    await clock.advance(MINUTE)
    expect(await token({ minTtlMs: 0 })).toBe('REAUTH_REQUIRED')
  })

  it('stays so, and dies no second time, when it is asked again and its parameters are refused', async () => {
    const { clock, server, process } = await createRefused()
    const dead = await process.store.findConnection('acme', '')
    server.always = answers.wrongScope
    await clock.advance(15 * MINUTE)
    const { state, stateReason, stateSince } = (await process.store.findConnection('acme', '')) ?? {}
    expect(state).toBe('REAUTH_REQUIRED')
    expect([stateReason, stateSince]).toEqual([dead?.stateReason, dead?.stateSince])
  })

  it('is asked no faster than any other while the outcome is unknown', async () => {
    const { clock, server, refreshes, status } = await createRefused()
    await clock.advance(9 * MINUTE)
    const before = refreshes()
    server.always = answers.down
    await clock.advance(MINUTE + 4 * SECOND)
    // After 0, 0.2, 1.2 and 4.2 s.
    expect(refreshes() - before).toBeLessThanOrEqual(4)
    expect(await status()).toMatchObject({
      state: 'REAUTH_REQUIRED',
      outcomeUnknownSince: expect.any(Number),
    })
    server.always = answers.refused
    await clock.advance(MINUTE)
    expect(await status()).toMatchObject({ state: 'REAUTH_REQUIRED', outcomeUnknownSince: undefined })
  })

  it.each([
    ['10 minutes', 10 * MINUTE],
    ['an hour', HOUR],
    ['a day', DAY],
  ])('is asked again after %s, and comes back by itself', async (_, after) => {
    const { clock, server, broker, run, refreshes } = await createRefused()
    await broker.stop()
    await clock.advance(after - MINUTE)
    const process = await run()
    await clock.advance(2 * SECOND)
    const before = refreshes()
    server.always = undefined
    await clock.advance(MINUTE)
    expect(refreshes()).toBe(before + 1)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true, lastError: undefined })
    expect(await process.token()).toBe('at-2')
  })

  it('is not asked any more than that, whoever asks', async () => {
    const { clock, token, refreshes } = await createRefused()
    const before = refreshes()
    await clock.advance(HOUR)
    for (let turn = 0; turn < 100; turn++) {
      expect(await token()).toBe('REAUTH_REQUIRED')
      await clock.advance(SECOND)
    }
    expect(refreshes()).toBe(before + 2)
  })

  it('comes back by a new consent, under the same name, and says nothing of the past', async () => {
    const { server, connect, status, token } = await createRefused()
    server.always = undefined
    await connect()
    expect(await token()).toBe('at-2')
    const fresh = await status()
    expect(fresh).toMatchObject({ state: 'ACTIVE', healthy: true, consecutiveFailures: 0 })
    expect(fresh.diagnosis).toBe('working; nothing to do')
  })

  it('comes back if an operator asks and the provider has changed its mind', async () => {
    const { clock, server, broker, name, status } = await createRefused()
    server.always = undefined
    await clock.advance(MINUTE)
    expect(await broker.refresh(name)).toMatchObject({ refreshed: true })
    expect(await status()).toMatchObject({ state: 'ACTIVE' })
  })

  it('keeps its reason and its time through failed probes', async () => {
    const { clock, server, status } = await createRefused()
    const { diagnosis } = await status()
    server.always = answers.down
    await clock.advance(2 * HOUR)
    server.always = answers.refused
    await clock.advance(2 * MINUTE)
    const later = await status()
    expect(later.state).toBe('REAUTH_REQUIRED')
    expect(later.diagnosis.split(' (')[0]).toBe(diagnosis.split(' (')[0])
  })
})

describe('the refresh token of a connection that is REAUTH_REQUIRED', () => {
  it('leaves the store after 30 days', async () => {
    const { clock, process, run, broker } = await createRefused()
    await broker.stop()
    clock.jump(30 * DAY - MINUTE)
    const early = await run()
    expect((await early.store.findConnection('acme', ''))?.sealedRefreshToken).toBeDefined()
    await clock.advance(2 * MINUTE)
    const row = await process.store.findConnection('acme', '')
    expect(row).toMatchObject({ state: 'REAUTH_REQUIRED', sealedRefreshToken: undefined })
    expect(await early.token()).toBe('REAUTH_REQUIRED')
    expect((await early.status()).diagnosis).toMatch(
      /a human has to consent again: token-broker connect acme$/,
    )
  })

  it('stays if it is only the clock that says so, and the provider is not asked in a loop', async () => {
    const { clock, process, refreshes } = await createRefused()
    await clock.advance(MINUTE)
    const before = refreshes()
    clock.jump(31 * DAY)
    await clock.advance(10 * MINUTE)
    expect((await process.store.findConnection('acme', ''))?.sealedRefreshToken).toBeDefined()
    expect(refreshes() - before).toBeLessThanOrEqual(2)
  })

  it('stays through such a jump, and works again', async () => {
    const { clock, server, status } = await createRefused()
    server.always = undefined
    clock.jump(31 * DAY)
    await clock.advance(MINUTE)
    expect(await status()).toMatchObject({ state: 'ACTIVE' })
  })
})

describe('a grant that ends', () => {
  it('without a refresh token is over with its access token, and not before', async () => {
    const definition = { answer: { refresh_token: '/none', provider_account_id: '/account' } }
    const machine = createMachine({ definition })
    const { connect, status, token } = await machine.run()
    await connect()
    await machine.clock.advance(HOUR - SECOND)
    expect(await token({ minTtlMs: 0 })).toBe('at-1')
    expect((await status()).diagnosis).toMatch(/no refresh token: consent again before/)
    await machine.clock.advance(3 * SECOND)
    const over = await status()
    expect(over).toMatchObject({ state: 'REAUTH_REQUIRED', nextRefreshAt: undefined })
    expect(over.diagnosis).toMatch(/^the access token expired, and the provider issued no refresh token/)
    expect(machine.server.http.sent).toHaveLength(1)
  })

  it('is warned of 14 days ahead, and is asked to the last', async () => {
    const definition = { refresh: { refresh_lifetime: { of: '365d', kind: 'absolute' } } }
    const machine = createMachine({ definition })
    const { clock, server } = machine
    const first = await machine.run()
    await first.connect()
    await first.broker.stop()
    clock.jump(352 * DAY)
    const { broker, status, token, log } = await machine.run()
    await clock.advance(5 * SECOND)
    expect(await token()).toMatch(/^at-/)
    expect((await status()).diagnosis).toMatch(/the grant ends on 2027-01-01 whatever is done/)
    expect(log).toContainEqual(
      expect.objectContaining({ message: expect.stringMatching(/^The grant ends soon/) }),
    )
    await broker.stop()
    clock.jump(13 * DAY + HOUR)
    const last = await machine.run()
    await clock.advance(5 * SECOND)
    // The stated end was not the end.
    expect(await last.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    await last.broker.stop()
    server.always = answers.refused
    await clock.advance(HOUR)
    expect(await last.token()).toBe('REAUTH_REQUIRED')
    expect((await last.status()).diagnosis).toMatch(/^the grant has reached its stated end/)
  })
})
