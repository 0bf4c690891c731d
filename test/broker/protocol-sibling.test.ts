import { describe, expect, it } from 'vitest'
import type { WireAnswer } from '../oauth/fake-http.ts'
import { settle } from './fake-clock.ts'
import { fillStore } from './faults.ts'
import { createMachine } from './machine.ts'
import { acted, answers, type Turn } from './scripted-server.ts'

const HOUR = 3_600_000
const never = new Promise<void>(() => {})
type Replay = 'window' | 'single_use_family'

/** Two brokers over one store, of which `a` has just sent a refresh that gets `turn`. */
async function createPair(replay: Replay, turn: Turn) {
  const machine = createMachine({ definition: { replay } })
  const { clock, server } = machine
  server.replay = replay
  const [a, b] = [await machine.run({ replica: 'a' }), await machine.run({ replica: 'b' })]
  await a.connect()
  await settle()
  clock.jump(HOUR)
  server.script.push(turn)
  void a.token()
  await settle()
  const refreshes = () => server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return {
    clock,
    server,
    a,
    b,
    refreshes,
    /** The lease of `a` is not renewed. */ stall: () => fillStore(a, 'extendLease'),
  }
}

describe('two brokers over one store', () => {
  it('send one request, however slow the provider is, while the lease is renewed', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, a, b, refreshes } = await createPair('window', acted.late(gate.promise))
    const waiting = b.token()
    await clock.advance(45_000)
    expect(await waiting).toBe('PROVIDER_UNAVAILABLE')
    expect(refreshes()).toBe(1)
    gate.resolve()
    await clock.advance(1_000)
    expect(await b.token()).toBe('at-2')
    expect(await a.token()).toBe('at-2')
    expect(refreshes()).toBe(1)
  })

  it('take over a lease that has run out', async () => {
    const { clock, a, b } = await createPair('window', acted.late(never))
    a.crash()
    await clock.advance(14_000)
    expect(await b.token()).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(3_000)
    expect(await b.token()).toBe('at-3')
  })

  it('take over an attempt of a dead one, though nothing else makes the connection due', async () => {
    const { clock, server, run } = createMachine({ definition: { replay: 'window' } })
    server.replay = 'window'
    const [a, b] = [await run({ replica: 'a' }), await run({ replica: 'b' })]
    await a.connect()
    server.script.push(acted.late(never))
    void a.broker.refresh(a.name)
    await settle()
    a.crash()
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-3')
  })

  it('keep a late success beside the newer tokens, and find out at once that those count', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, a, b, stall } = await createPair('window', acted.late(gate.promise))
    stall()
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-3')
    gate.resolve()
    await clock.advance(3_000)
    expect(a.log.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^Two refreshes of one/))
    for (const process of [a, b]) {
      expect(await process.token()).toBe('at-4')
      expect(await process.status()).toMatchObject({ healthy: true })
    }
    expect(server.accepts(server.current())).toBe(true)
  })

  it('go on with the late success where that is the one that counts', async () => {
    const gate = Promise.withResolvers<void>()
    // The provider takes the first request last.
    const { clock, server, a, b, stall } = await createPair('window', gate.promise)
    stall()
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-2')
    gate.resolve()
    await clock.advance(3_000)
    expect(server.accepts('rt-2')).toBe(false)
    for (const process of [a, b]) {
      expect(await process.token()).toBe('at-4')
      expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    }
    expect(server.accepts(server.current())).toBe(true)
  })

  it('do not take a lost answer to the late success for a refusal of it', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, a, stall } = await createPair('window', gate.promise)
    stall()
    await clock.advance(17_000)
    const stored = (act: () => WireAnswer) => act()
    // The stored token is refused each time, and the one beside it is answered only the third time.
    server.script.push(stored, acted.lost, stored, acted.lost)
    gate.resolve()
    await clock.advance(5_000)
    expect(await a.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
    expect(server.script).toEqual([])
  })

  it('try the late success later, too, whenever the stored token is refused', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, b, stall } = await createPair('window', gate.promise)
    stall()
    await clock.advance(17_000)
    await b.token()
    server.always = answers.unreachable
    gate.resolve()
    await clock.advance(HOUR)
    server.always = undefined
    await clock.advance(60_000)
    expect(await b.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })
})

describe('where a second request would kill the grant', () => {
  it('nobody else sends one for two minutes, even if the holder does not renew its lease', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, a, b, refreshes, stall } = await createPair('single_use_family', acted.late(gate.promise))
    stall()
    await clock.advance(110_000)
    expect(await b.token()).toBe('PROVIDER_UNAVAILABLE')
    expect(refreshes()).toBe(1)
    gate.resolve()
    await clock.advance(1_000)
    expect(await a.token()).toBe('at-2')
    expect(await b.token()).toBe('at-2')
  })

  it('the loss is reported as soon as the lease of a dead process has run out', async () => {
    const { clock, a, b } = await createPair('single_use_family', acted.late(never))
    a.crash()
    await clock.advance(119_000)
    expect(await b.status()).toMatchObject({ state: 'ACTIVE' })
    await clock.advance(5_000)
    expect((await b.status()).diagnosis).toMatch(/^the answer to a refresh was lost/)
  })
})

describe('a failure that comes late', () => {
  it.each([
    ['a refusal', answers.refused],
    ['a wrong client secret', answers.wrongClient],
    ['refused parameters', answers.wrongScope],
  ])('changes nothing of what another broker has stored since: %s', async (_, late) => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, a, b, stall } = await createPair('window', async () => {
      await gate.promise
      return late
    })
    stall()
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-2')
    gate.resolve()
    await clock.advance(3_000)
    for (const process of [a, b]) {
      expect(await process.token()).toMatch(/^at-[23]$/)
      expect(await process.status()).toMatchObject({
        state: expect.stringMatching(/^(ACTIVE|PROVIDER_MISC)/),
      })
    }
    expect(await b.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })

  it('has the connection refreshed again where it may have cost both tokens', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, b, stall, refreshes } = await createPair('window', async () => {
      await gate.promise
      return answers.refused
    })
    stall()
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-2')
    expect(refreshes()).toBe(2)
    gate.resolve()
    await clock.advance(3_000)
    expect(await b.token()).toBe('at-3')
    expect(refreshes()).toBe(3)
  })
})
