import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { StoreError } from '../../src/store/store.ts'
import { createMachine, type Machine, type Process } from './machine.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const YEAR = 365 * 24 * HOUR

const unavailable = { status: 503 }

/** Imports a token that lives an hour; nobody knows when it was obtained. */
function take({ server, clock }: Machine, process: Process, over: object = {}) {
  return process.broker.importConnection({
    ...process.name,
    credential: { kind: 'access_token', token: new Secret('at-imported') },
    refreshToken: new Secret(server.issue().refreshToken),
    expiresAt: clock.now() + HOUR,
    scopes: ['a', 'b'],
    providerAccountId: '',
    variables: {},
    attributes: {},
    check: 'NONE',
    replace: false,
    ...over,
  })
}

async function createImported(over: object = {}) {
  const machine = createMachine()
  const process = await machine.run()
  await take(machine, process, over)
  return { ...machine, ...process }
}

const kinds = [
  ['that can be renewed', {}],
  ['that nothing renews', { refreshToken: undefined }],
] as const

describe.each(kinds)('an imported token %s, after the clock was set back', (_, over) => {
  it('lives as long as before in the same run', async () => {
    const { clock, token, server } = await createImported(over)
    server.always = unavailable
    clock.jump(-5 * HOUR)
    await clock.advance(HOUR - SECOND)
    expect(await token({ minTtlMs: 0 })).toBe('at-imported')
    await clock.advance(2 * SECOND)
    expect(await token({ minTtlMs: 0 })).not.toBe('at-imported')
  })

  it('lives as long as before after a restart', async () => {
    const { clock, broker, run, server } = await createImported(over)
    server.always = unavailable
    clock.jump(-5 * HOUR)
    await clock.advance(2 * MINUTE)
    await broker.stop()
    const restarted = await run()
    await clock.advance(57 * MINUTE)
    expect(await restarted.token({ minTtlMs: 0 })).toBe('at-imported')
    await clock.advance(2 * MINUTE)
    expect(await restarted.token({ minTtlMs: 0 })).not.toBe('at-imported')
  })
})

describe('an imported token', () => {
  it('is renewed in time after the clock was set back and a restart', async () => {
    const { clock, broker, run, server } = await createImported()
    clock.jump(-5 * HOUR)
    await clock.advance(2 * MINUTE)
    await broker.stop()
    const restarted = await run()
    await clock.advance(2 * HOUR)
    expect(await restarted.token()).toMatch(/^at-\d/)
    expect(server.http.sent.length).toBeLessThanOrEqual(3)
  })

  it('counts as expired after each restart once the clock was set back before one', async () => {
    const { clock, crash, run, server } = await createImported()
    server.always = unavailable
    await clock.advance(2 * MINUTE)
    crash()
    await clock.advance(30 * MINUTE)
    clock.jump(-5 * HOUR)
    const second = await run()
    expect(await second.token()).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(2 * MINUTE)
    await second.broker.stop()
    const third = await run()
    await clock.advance(MINUTE)
    expect(await third.token()).toBe('PROVIDER_UNAVAILABLE')
  })

  it('counts as expired where the clock was set back again while the store was told, and the process died', async () => {
    const { clock, crash, run, server, store } = await createImported()
    server.always = unavailable
    const { bringForward } = store
    let told = 0
    Object.assign(store, {
      bringForward: async (shift: Parameters<typeof bringForward>[0]) => {
        await bringForward(shift)
        if (told++ === 0) clock.jump(-8 * HOUR)
      },
    })
    clock.jump(-5 * HOUR)
    while (told === 0) await clock.advance(100)
    crash()
    const restarted = await run()
    expect(await restarted.token()).toBe('PROVIDER_UNAVAILABLE')
  })

  it('that is imported after that is served, though the clock is still behind', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    const first = await machine.run()
    await clock.advance(2 * MINUTE)
    first.crash()
    clock.jump(-5 * HOUR)
    const process = await machine.run()
    await clock.advance(2 * MINUTE)
    server.always = unavailable
    await take(machine, process)
    expect(await process.token()).toBe('at-imported')
  })

  it('that nothing renews survives a clock that was ten years ahead for a while', async () => {
    const { clock, broker, run } = await createImported({ refreshToken: undefined })
    clock.jump(10 * YEAR)
    await clock.advance(2 * MINUTE)
    clock.jump(-10 * YEAR)
    await clock.advance(2 * MINUTE)
    await broker.stop()
    const restarted = await run()
    expect(await restarted.token()).toBe('at-imported')
    await clock.advance(HOUR)
    expect(await restarted.token()).not.toBe('at-imported')
  })

  it('that nothing renews is not given up where a restart finds the clock behind', async () => {
    const { clock, crash, run } = await createImported({ refreshToken: undefined })
    await clock.advance(2 * MINUTE)
    crash()
    clock.jump(-30 * MINUTE)
    const restarted = await run()
    expect(await restarted.token()).toBe('NO_REFRESH_TOKEN')
    expect(await restarted.status()).toMatchObject({ state: 'ACTIVE' })
    clock.jump(30 * MINUTE)
    await restarted.broker.stop()
    expect(await (await run()).token()).toBe('at-imported')
  })
})

describe('a token that was obtained long before the clock was set back', () => {
  it('does not outlive itself after a restart, though nothing renewed it', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    server.lifetime = 8 * 3_600
    const process = await machine.run()
    await process.connect()
    await clock.advance(6 * HOUR)
    server.always = unavailable
    clock.jump(-5 * HOUR)
    await clock.advance(2 * MINUTE)
    await process.broker.stop()
    const restarted = await machine.run()
    await clock.advance(HOUR + 57 * MINUTE)
    expect(await restarted.token({ minTtlMs: 0 })).toBe('at-1')
    await clock.advance(2 * MINUTE)
    expect(await restarted.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
  })

  it('by a process that has not seen it before the set-back was noticed', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    const first = await machine.run()
    await first.connect()
    await first.broker.stop()
    server.always = unavailable
    const second = await machine.run()
    await clock.advance(50 * MINUTE)
    clock.jump(-30 * MINUTE)
    // Whether it lives is not known; after the next look it is.
    expect(await second.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(2 * SECOND)
    expect(await second.token({ minTtlMs: 0 })).toBe('at-1')
    await clock.advance(10 * MINUTE)
    expect(await second.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
  })

  it('by a process that could not read its store when it started', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    const first = await machine.run()
    await first.connect()
    await clock.advance(30 * MINUTE)
    first.crash()
    clock.jump(-20 * MINUTE)
    server.always = unavailable
    const second = machine.boot()
    const { clockMark } = second.store
    second.store.clockMark = () => Promise.reject(new StoreError('unavailable', 'the database is down'))
    await second.broker.start()
    expect(await second.token({ minTtlMs: 0 })).toBe('BROKER_UNAVAILABLE')
    second.store.clockMark = clockMark
    expect(await second.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(2 * SECOND)
    expect(await second.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
  })
})

describe('a refresh that is under way when the clock is set back', () => {
  it('brings a token that does not outlive itself after a restart', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    const process = await machine.run()
    await process.connect()
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const version = (await process.get()).version
    const caller = process.token({ rejectedVersion: version })
    await clock.advance(0)
    clock.jump(-5 * HOUR)
    await clock.advance(2 * SECOND)
    gate.resolve()
    expect(await caller).toBe('at-2')
    server.always = unavailable
    await process.broker.stop()
    const restarted = await machine.run()
    expect(await restarted.token()).toBe('at-2')
    await clock.advance(HOUR)
    expect(await restarted.token({ minTtlMs: 0 })).toBe('PROVIDER_UNAVAILABLE')
  })
})
