import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { createMachine, type MachineOptions, type Process } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const HOUR = 3_600_000

/** A running broker with one connection. */
async function createConnected(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  return { ...machine, ...process, process }
}

/** Has a method of the store answer when the gate opens: before it does anything, or after. */
function hold({ store }: Process, name: 'beginAttempt' | 'commitRefresh', when: 'before' | 'after') {
  const gate = Promise.withResolvers<void>()
  const methods = store as unknown as Record<string, (...input: unknown[]) => Promise<unknown>>
  const method = methods[name]
  methods[name] = async (...input) => {
    if (when === 'before') await gate.promise
    const answer = await method?.(...input)
    if (when === 'after') await gate.promise
    return answer
  }
  return gate.resolve
}

describe('a disconnect while a refresh is under way', () => {
  it.each<[string, (process: Process, script: unknown[]) => () => void]>([
    ['whose intent is not written yet', process => hold(process, 'beginAttempt', 'before')],
    ['whose intent has just been written', process => hold(process, 'beginAttempt', 'after')],
    ['that the provider has not seen yet', (_, script) => gated(script, gate => gate)],
    ['on which the provider has acted', (_, script) => gated(script, acted.late)],
    ['whose tokens are not written yet', process => hold(process, 'commitRefresh', 'before')],
    ['whose tokens have just been written', process => hold(process, 'commitRefresh', 'after')],
  ])('%s is final, and every token is revoked', async (_, holdUp) => {
    const { clock, server, process, token, disconnect } = await createConnected()
    const open = holdUp(process, server.script)
    clock.jump(HOUR)
    const late = token()
    await settle()
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(await token()).toBe('CONSENT_REQUIRED')
    open()
    expect(await late).toBe('CONSENT_REQUIRED')
    await clock.advance(10_000)
    expect(await token()).toBe('CONSENT_REQUIRED')
    expect(server.honours('at-1')).toBe(false)
    const issued = server.current()
    expect(server.revoked).toContain(issued)
    expect(await process.store.hasSealedData()).toBe(false)
    expect((await process.spool.list()).commits).toEqual([])
  })

  it('is not undone by a refresh that fails', async () => {
    const { clock, server, token, disconnect, process } = await createConnected()
    const gate = Promise.withResolvers<void>()
    server.script.push(async () => {
      await gate.promise
      return answers.down
    })
    clock.jump(HOUR)
    const late = token()
    await settle()
    await disconnect()
    gate.resolve()
    expect(await late).toBe('CONSENT_REQUIRED')
    expect(await token()).toBe('CONSENT_REQUIRED')
    expect(await process.store.findConnection('acme', '')).toBeUndefined()
  })

  it('and a new consent after it are not touched by what comes late', async () => {
    const { clock, server, token, disconnect, connect } = await createConnected()
    const gate = Promise.withResolvers<void>()
    server.script.push(acted.late(gate.promise))
    clock.jump(HOUR)
    const late = token()
    await settle()
    await disconnect()
    await connect()
    const current = server.current()
    gate.resolve()
    expect(await late).toBe('at-3')
    await clock.advance(1_000)
    expect(await token()).toBe('at-3')
    expect(server.accepts(current)).toBe(true)
    expect(server.revoked).toEqual(['rt-1', 'rt-2'])
  })
})

function gated(script: unknown[], turn: (gate: Promise<void>) => unknown): () => void {
  const gate = Promise.withResolvers<void>()
  script.push(turn(gate.promise))
  return gate.resolve
}

describe('a disconnect on one of two brokers', () => {
  it('is known to the other at once', async () => {
    const machine = createMachine()
    const [a, b] = [await machine.run({ replica: 'a' }), await machine.run({ replica: 'b' })]
    await a.connect()
    expect(await b.token()).toBe('at-1')
    await a.disconnect()
    expect(await b.token()).toBe('CONSENT_REQUIRED')
  })

  it('revokes what the other has renewed meanwhile, though it has not heard of it', async () => {
    const machine = createMachine()
    const [a, b] = [machine.boot({ replica: 'a' }), await machine.run({ replica: 'b' })]
    await a.connect()
    const before = await a.store.findConnection('acme', '')
    await b.broker.refresh(b.name)
    // What it reads is behind what is stored.
    const { findConnection } = a.store
    a.store.findConnection = async () => before
    await a.token()
    a.store.findConnection = findConnection
    await a.disconnect()
    await machine.clock.advance(5_000)
    expect(machine.server.revoked).toContain('rt-2')
    expect(await a.store.hasSealedData()).toBe(false)
  })
})
