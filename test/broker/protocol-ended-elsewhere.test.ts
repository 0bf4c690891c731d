import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { fillStore } from './faults.ts'
import { createMachine, type Process } from './machine.ts'
import { acted } from './scripted-server.ts'

const HOUR = 3_600_000

/** Two brokers over one store; a refresh of `a` is answered when the gate opens. */
async function createPair() {
  const machine = createMachine({ definition: { replay: 'window' } })
  const { clock, server, run } = machine
  server.replay = 'window'
  const [a, b] = [await run({ replica: 'a' }), await run({ replica: 'b' })]
  await a.connect()
  await settle()
  clock.jump(HOUR)
  const gate = Promise.withResolvers<void>()
  server.script.push(acted.late(gate.promise))
  void a.token()
  await settle()
  return { clock, server, a, b, open: gate.resolve }
}

/** Has something happen right before a process keeps a sibling; resolves when it has happened. */
function beforeSibling({ store }: Process, happen: () => Promise<unknown>): Promise<void> {
  const keepSibling = store.keepSibling.bind(store)
  const happened = Promise.withResolvers<void>()
  Object.assign(store, {
    keepSibling: async (...input: Parameters<typeof keepSibling>) => {
      await happen()
      happened.resolve()
      return keepSibling(...input)
    },
  })
  return happened.promise
}

describe('tokens that come back to a grant that another process has ended, and that cannot be stored', () => {
  it('are not served after its disconnect, and revoked as soon as the store is back', async () => {
    const { clock, server, a, b, open } = await createPair()
    const mend = fillStore(a)
    await b.disconnect()
    open()
    await settle()
    expect((await a.spool.list()).commits).toHaveLength(1)
    expect(await a.token()).toBe('CONSENT_REQUIRED')
    mend()
    await clock.advance(10_000)
    expect(await a.token()).toBe('CONSENT_REQUIRED')
    expect(server.revoked).toContain('rt-2')
    expect((await a.spool.list()).commits).toEqual([])
  })

  it('are not served in the place of a new consent', async () => {
    const { clock, server, a, b, open } = await createPair()
    const mend = fillStore(a)
    await b.connect()
    open()
    await settle()
    expect(await a.token()).toBe('at-3')
    mend()
    await clock.advance(10_000)
    expect(await a.token()).toBe('at-3')
    expect(server.revoked).toContain('rt-2')
    expect(server.accepts('rt-3')).toBe(true)
  })
})

describe('tokens that come second', () => {
  it('are revoked where a new consent comes before they are kept beside the first', async () => {
    const { clock, server, a, b, open } = await createPair()
    fillStore(a, 'extendLease')
    await clock.advance(17_000)
    expect(await b.token()).toBe('at-3')
    const renewed = beforeSibling(a, () => b.connect())
    open()
    await renewed
    await clock.advance(3_000)
    expect(server.revoked).toContain('rt-2')
    for (const process of [a, b]) expect(await process.token()).toBe('at-4')
    expect(server.accepts('rt-4')).toBe(true)
  })
})
