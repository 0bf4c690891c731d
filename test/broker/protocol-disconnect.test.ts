import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { dieAt, fillStore } from './faults.ts'
import { createMachine, type MachineOptions, type Process } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const HOUR = 3_600_000
const byAccessToken = { operations: { revoke: { url: 'https://as.example/revoke', token: 'access' } } }

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

describe('the revocation', () => {
  it('survives a crash right after the disconnect was stored', async () => {
    const { clock, server, process, disconnect, run } = await createConnected()
    dieAt(process, 'removeConnection', 'after')
    void disconnect()
    await settle()
    const restarted = await run()
    expect(await restarted.token()).toBe('CONSENT_REQUIRED')
    await clock.advance(100_000)
    expect(server.revoked).toEqual(['rt-1'])
    expect(await restarted.store.hasSealedData()).toBe(false)
  })

  it('has not begun if the process dies before, and the connection is as it was', async () => {
    const { server, process, disconnect, run } = await createConnected()
    dieAt(process, 'removeConnection', 'before')
    void disconnect()
    await settle()
    const restarted = await run()
    expect(await restarted.token()).toBe('at-1')
    expect(server.revoked).toEqual([])
  })

  it('goes on after a crash while the provider was asked', async () => {
    const { clock, server, crash, disconnect, run } = await createConnected()
    server.script.push(() => {
      crash()
      return answers.lost
    })
    void disconnect()
    await settle()
    const restarted = await run()
    await clock.advance(100_000)
    expect(server.revoked).toEqual(['rt-1'])
    expect(await restarted.store.hasSealedData()).toBe(false)
  })

  it.each([
    ['does not answer', answers.down],
    ['refuses our client', answers.wrongClient],
  ])('goes to a provider that %s for a while, though nobody asks it for tokens', async (_, trouble) => {
    const { clock, server, process, token, disconnect } = await createConnected()
    server.always = trouble
    clock.jump(HOUR)
    for (let turn = 0; turn < 12; turn++) {
      await clock.advance(10_000)
      await token()
    }
    expect(await disconnect()).toMatchObject({ revocation: 'PENDING' })
    server.always = undefined
    await clock.advance(200_000)
    expect(server.revoked).toHaveLength(1)
    expect(server.accepts(server.current())).toBe(false)
    expect(await process.store.hasSealedData()).toBe(false)
  })

  it('is not given up because the clock was set ahead', async () => {
    const { clock, server, disconnect } = await createConnected()
    server.script.push(answers.down)
    expect(await disconnect()).toMatchObject({ revocation: 'PENDING' })
    clock.jump(2 * 24 * HOUR)
    await clock.advance(10_000)
    expect(server.revoked).toEqual(['rt-1'])
  })

  it('is not said to have happened if it could not be stored', async () => {
    const { server, process, disconnect, token } = await createConnected()
    const { removeConnection } = process.store
    const { StoreError } = await import('../../src/store/store.ts')
    process.store.removeConnection = async () => {
      throw new StoreError('full', 'the disk is full')
    }
    await expect(disconnect()).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
    expect(await token()).toBe('at-1')
    process.store.removeConnection = removeConnection
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(server.revoked).toEqual(['rt-1'])
  })
})

describe('a provider that wants a living access token for a revocation', () => {
  it('gets one that is obtained there and then; a crash in between does not cost the new refresh token', async () => {
    const { clock, server, process, disconnect, run } = await createConnected({ definition: byAccessToken })
    server.replay = 'single_use_family'
    clock.jump(HOUR)
    dieAt(process, 'replaceRevocationTokens', 'after')
    void disconnect()
    await settle()
    expect(server.revoked).toEqual([])
    const restarted = await run()
    await clock.advance(100_000)
    expect(server.revoked).toEqual(['at-2'])
    expect(server.honours('at-2')).toBe(false)
    expect(await restarted.store.hasSealedData()).toBe(false)
  })

  it('is waited for by a stop until the new refresh token is stored', async () => {
    const { clock, server, broker, disconnect, store } = await createConnected({ definition: byAccessToken })
    const gate = Promise.withResolvers<void>()
    clock.jump(HOUR)
    server.script.push(acted.late(gate.promise))
    void disconnect()
    await settle()
    let hasEnded = false
    const stopped = broker.stop().finally(() => (hasEnded = true))
    await settle()
    expect(hasEnded).toBe(false)
    const replace = store.replaceRevocationTokens
    let isReplaced = false
    store.replaceRevocationTokens = async (...input) => {
      await replace(...input)
      isReplaced = true
    }
    gate.resolve()
    await stopped
    expect(isReplaced).toBe(true)
  })

  it('gets one later if it is down now', async () => {
    const { clock, server, disconnect, token } = await createConnected({ definition: byAccessToken })
    clock.jump(HOUR)
    server.always = answers.down
    server.script.push(answers.down, answers.down)
    expect(await disconnect()).toMatchObject({ revocation: 'PENDING' })
    expect(await token()).toBe('CONSENT_REQUIRED')
    server.always = undefined
    await clock.advance(100_000)
    expect(server.honours('at-1')).toBe(false)
  })

  it('gets none while the store could not take the new refresh token', async () => {
    const { clock, server, process, disconnect } = await createConnected({ definition: byAccessToken })
    server.replay = 'single_use_family'
    clock.jump(HOUR)
    const mend = fillStore(process, 'rescheduleRevocation', 'replaceRevocationTokens', 'removeRevocation')
    expect(await disconnect()).toMatchObject({ revocation: 'PENDING' })
    await clock.advance(30_000)
    expect(server.accepts('rt-1')).toBe(true)
    mend()
    await clock.advance(100_000)
    expect(server.accepts('rt-1')).toBe(false)
    expect(await process.store.hasSealedData()).toBe(false)
  })
})

describe('a new consent that a revocation would end', () => {
  const revoke = { url: 'https://as.example/revoke', token: 'access', revokes: 'account' }

  it('cancels it, also while the access token for it is being renewed', async () => {
    const { clock, server, process, connect, disconnect, token } = await createConnected({
      definition: { operations: { revoke } },
    })
    const gate = Promise.withResolvers<void>()
    clock.jump(HOUR)
    server.script.push(acted.late(gate.promise))
    const disconnected = disconnect()
    await settle()
    await connect()
    gate.resolve()
    expect(await disconnected).toMatchObject({ revocation: 'SKIPPED_SHARED' })
    await clock.advance(200_000)
    expect(server.revoked).toEqual([])
    expect(await token()).toBe('at-3')
    expect(await process.store.listDueRevocations(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
  })

  it('cancels it, also while it waits for its turn', async () => {
    const { clock, server, connect, disconnect, token } = await createConnected({
      definition: { operations: { revoke } },
      provider: { limits: { concurrency: 4, perSecond: 1 } },
    })
    const disconnected = disconnect()
    await settle()
    expect(await token()).toBe('CONSENT_REQUIRED')
    const connected = connect()
    await clock.advance(5_000)
    await connected
    expect(await disconnected).toMatchObject({ revocation: 'SKIPPED_SHARED' })
    expect(server.revoked).toEqual([])
    expect(await token()).toMatch(/^at-/)
  })
})
