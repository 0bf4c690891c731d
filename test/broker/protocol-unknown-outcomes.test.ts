import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { fillStore } from './faults.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const HOUR = 3_600_000

/** A running broker with one connection whose access token has just expired, unused meanwhile. */
async function createExpired(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  return { ...machine, ...process }
}

describe('a refresh on which the provider acted, and whose answer was lost', () => {
  it.each([
    ['keeps its refresh tokens', 'same'],
    ['takes a used one again for a while', 'window'],
  ] as const)('is made good within a second where the provider %s', async (_, replay) => {
    const { clock, server, token, status } = await createExpired()
    server.replay = replay
    server.script.push(acted.lost)
    expect(await token()).toBe('PROVIDER_UNAVAILABLE')
    expect(await status()).toMatchObject({ state: 'ACTIVE', outcomeUnknownSince: clock.now() })
    await clock.advance(1_000)
    expect(await status()).toMatchObject({ healthy: true, outcomeUnknownSince: undefined })
    expect(server.accepts(server.current())).toBe(true)
    expect(await token()).toBe('at-3')
  })

  it.each(['single_use', 'single_use_family'] as const)(
    'is reported within seconds as lost: %s',
    async replay => {
      const { clock, server, token, status } = await createExpired()
      server.replay = replay
      server.script.push(acted.lost)
      await token()
      await clock.advance(3_000)
      const lost = await status()
      expect(lost).toMatchObject({ state: 'REAUTH_REQUIRED', connected: false })
      expect(lost.diagnosis).toMatch(/^the answer to a refresh was lost.*token-broker connect acme$/)
      expect(await token()).toBe('REAUTH_REQUIRED')
    },
  )

  it('is the same thing if a gateway answers in place of the provider', async () => {
    const { clock, server, token } = await createExpired()
    server.replay = 'window'
    server.script.push(acted.badGateway)
    expect(await token()).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(1_000)
    expect(await token()).toBe('at-3')
  })

  it('leaves a caller with a good token alone', async () => {
    const machine = createMachine()
    const { connect, get } = await machine.run()
    await connect()
    machine.server.script.push(acted.lost, answers.down)
    await machine.clock.advance(HOUR - 360_000)
    expect(await get()).toMatchObject({ degraded: { reason: 'PROVIDER_UNAVAILABLE' } })
  })
})

describe('an unknown outcome', () => {
  it('is tried again after 0.2, 1, 3, 10 and 25 seconds, then every 30', async () => {
    const { clock, server, token } = await createExpired()
    const sentAt: number[] = []
    const start = clock.now()
    server.always = () => {
      sentAt.push(clock.now() - start)
      return { status: 200, body: 'not a token' }
    }
    void token()
    await clock.advance(110_000)
    const waited = sentAt.slice(1).map((at, index) => at - (sentAt[index] ?? 0))
    // After five failures in a row the breaker asks in its place, every 30 s.
    expect(waited.slice(0, 4)).toEqual([200, 1_000, 3_000, 10_000])
    expect(Math.max(...waited.slice(4))).toBeLessThanOrEqual(31_000)
  })

  it.each([
    ['the provider cannot be reached', answers.unreachable],
    ['the provider limits us', answers.limited],
    ['our client is refused', answers.wrongClient],
    ['a parameter is refused', answers.wrongScope],
  ])('stays unknown while %s', async (_, answer) => {
    const { clock, server, token, status } = await createExpired()
    server.replay = 'single_use'
    server.script.push(acted.lost, answer)
    await token()
    const since = clock.now()
    await clock.advance(500)
    expect(server.script).toEqual([])
    expect(await status()).toMatchObject({ outcomeUnknownSince: since })
    await clock.advance(2 * HOUR)
    expect((await status()).diagnosis).toMatch(/^the answer to a refresh was lost/)
  })

  it('is over with the first success, and a later refusal is not blamed on it', async () => {
    const { clock, server, token, status, broker, name } = await createExpired()
    server.replay = 'window'
    server.script.push(acted.lost)
    await token()
    await clock.advance(1_000)
    expect(await status()).toMatchObject({ outcomeUnknownSince: undefined, consecutiveFailures: 0 })
    server.endGrants()
    await broker.refresh(name)
    await clock.advance(31_000)
    expect((await status()).diagnosis).toMatch(/has refused the refresh token twice/)
  })

  it('is found out before callers are served who came earlier', async () => {
    const { clock, server, connect, token, status } = await createExpired({
      provider: { limits: { concurrency: 1, perSecond: 100 } },
    })
    const accounts = Array.from({ length: 30 }, (_, index) => `other-${index}`)
    for (const account of accounts) await connect({ account })
    clock.jump(HOUR)
    server.replay = 'window'
    server.script.push(acted.lost)
    server.always = async act => {
      await new Promise<void>(resolve => clock.schedule(1_000, resolve))
      return act()
    }
    await token()
    for (const account of accounts) void token({ account })
    await clock.advance(3_000)
    expect(await status()).toMatchObject({ healthy: true })
  })
})

describe('after a crash', () => {
  it('it is known as soon as the store can be written, though it was read before', async () => {
    const { clock, server, run, boot } = createMachine()
    const { connect, crash, broker, name } = await run()
    await connect()
    server.replay = 'same'
    server.script.push(acted.late(new Promise(() => {})))
    void broker.refresh(name)
    await settle()
    crash()
    const restarted = boot()
    const mend = fillStore(restarted)
    await restarted.broker.start()
    expect(await restarted.token()).toBe('at-1')
    await clock.advance(5_000)
    mend()
    await clock.advance(2_000)
    expect(await restarted.status()).toMatchObject({ healthy: true, outcomeUnknownSince: undefined })
    expect(await restarted.token()).toBe('at-3')
  })

  it.each([
    ['before the request left', 'same', 'ACTIVE'],
    ['before the request left', 'single_use_family', 'ACTIVE'],
    ['after the provider acted', 'same', 'ACTIVE'],
    ['after the provider acted', 'window', 'ACTIVE'],
    ['after the provider acted', 'single_use', 'REAUTH_REQUIRED'],
    ['after the provider acted', 'single_use_family', 'REAUTH_REQUIRED'],
  ] as const)('%s, where used tokens are %s, it is known within 5 s: %s', async (moment, replay, state) => {
    const { clock, server, run } = createMachine()
    const { connect, crash, broker, name } = await run()
    // Nothing but the attempt makes it due.
    await connect()
    server.replay = replay
    server.script.push(act => {
      if (moment === 'after the provider acted') act()
      crash()
      return answers.lost
    })
    void broker.refresh(name)
    await settle()
    const restarted = await run()
    await clock.advance(5_000)
    const known = await restarted.status()
    expect(known).toMatchObject({ state, healthy: state === 'ACTIVE' })
    expect(server.accepts(server.current())).toBe(state === 'ACTIVE' || replay === 'single_use')
    if (state === 'ACTIVE') expect(known.outcomeUnknownSince).toBeUndefined()
    else expect(known.diagnosis).toMatch(/^the answer to a refresh was lost/)
  })
})
