import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { dieAt, fillStore } from './faults.ts'
import { createMachine, type MachineOptions } from './machine.ts'
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
    const { clock, server, depart, comeBack, disconnect, token } = await createConnected({
      definition: { operations: { revoke } },
      provider: { limits: { concurrency: 4, perSecond: 1 } },
    })
    // Before time passes: the challenge of its code is made on a thread, which no fake clock waits for.
    const { state } = await depart()
    const disconnected = disconnect()
    await settle()
    expect(await token()).toBe('CONSENT_REQUIRED')
    const connected = comeBack({ code: 'code', state })
    await clock.advance(5_000)
    await connected
    expect(await disconnected).toMatchObject({ revocation: 'SKIPPED_SHARED' })
    expect(server.revoked).toEqual([])
    expect(await token()).toMatch(/^at-/)
  })
})
