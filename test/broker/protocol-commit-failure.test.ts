import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { fillSpool, fillStore, loseStore } from './faults.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted } from './scripted-server.ts'

const HOUR = 3_600_000
const WAITING = '1 renewed sets of tokens wait to be stored'
const commits = ['commitRefresh', 'keepRefreshToken', 'keepSibling', 'failRefresh'] as const

/** A running broker whose only connection has just expired; a used refresh token ends its grant. */
async function createExpired(options: MachineOptions = {}) {
  const machine = createMachine(options)
  machine.server.replay = 'single_use_family'
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  return { ...machine, ...process, process }
}

describe('a store that cannot be written when tokens are to be refreshed', () => {
  it.each([
    ['full', fillStore],
    ['away', loseStore],
  ] as const)('sends nothing, loses nothing and goes on by itself: %s', async (_, breakIt) => {
    const { clock, server, process, token, broker } = await createExpired()
    const before = server.http.sent.length
    const mend = breakIt(process)
    expect(await token()).toBe('BROKER_UNAVAILABLE')
    await clock.advance(60_000)
    expect(server.http.sent).toHaveLength(before)
    expect(broker.unreadiness()).toEqual(['the store cannot be used'])
    mend()
    await clock.advance(2_000)
    expect(broker.unreadiness()).toEqual([])
    expect(await token()).toBe('at-2')
  })
})

describe('a store that cannot be written when the answer is there', () => {
  it.each([
    ['full', fillStore],
    ['away', loseStore],
  ] as const)('has the tokens spooled, served, and stored later: %s', async (_, breakIt) => {
    const { clock, server, process, token, broker, run, crash } = await createExpired()
    let mend = () => {}
    server.script.push(act => {
      mend = breakIt(process)
      return act()
    })
    expect(await token()).toBe('at-2')
    expect(broker.unreadiness()).toContain(WAITING)
    expect((await process.spool.list()).commits).toHaveLength(1)
    await clock.advance(60_000)
    expect(await token()).toBe('at-2')
    mend()
    await clock.advance(6_000)
    expect(broker.unreadiness()).toEqual([])
    expect((await process.spool.list()).commits).toEqual([])
    crash()
    expect(await (await run()).token()).toBe('at-2')
    expect(server.accepts('rt-2')).toBe(true)
  })

  it('does not let an unstored refresh token be spent', async () => {
    const { clock, server, process, token, get } = await createExpired()
    fillStore(process, ...commits)
    const { version } = await get()
    const before = server.http.sent.length
    expect(await token({ rejectedVersion: version })).toBe('BROKER_UNAVAILABLE')
    clock.jump(HOUR)
    await clock.advance(5_000)
    expect(await token()).toBe('BROKER_UNAVAILABLE')
    expect(server.http.sent).toHaveLength(before)
  })

  it('has them survive a crash', async () => {
    const { process, token, run, crash, server } = await createExpired()
    fillStore(process, ...commits)
    await token()
    crash()
    const restarted = await run()
    expect(await restarted.token()).toBe('at-2')
    expect(restarted.broker.unreadiness()).toEqual([])
    expect((await restarted.spool.list()).commits).toEqual([])
    expect(server.accepts('rt-2')).toBe(true)
  })

  it('and is full in the next run, too, has them served and stored when it is not', async () => {
    const { clock, process, token, boot, crash } = await createExpired()
    fillStore(process, ...commits)
    await token()
    crash()
    const restarted = boot()
    const mend = fillStore(restarted)
    await restarted.broker.start()
    expect(await restarted.token()).toBe('at-2')
    expect(restarted.broker.unreadiness()).toContain(WAITING)
    mend()
    await clock.advance(6_000)
    expect(restarted.broker.unreadiness()).toEqual([])
  })

  it('and answers nothing at the next start, has nothing sent before they are stored', async () => {
    const { clock, server, process, token, boot, crash } = await createExpired()
    fillStore(process, ...commits)
    await token()
    crash()
    const before = server.http.sent.length
    const restarted = boot()
    const mend = loseStore(restarted)
    await restarted.broker.start()
    await clock.advance(10_000)
    mend()
    expect(await restarted.token()).not.toMatch(/REAUTH/)
    await clock.advance(10_000)
    expect(await restarted.token()).toBe('at-2')
    expect(server.http.sent).toHaveLength(before)
    expect(restarted.broker.unreadiness()).toEqual([])
    expect(server.accepts('rt-2')).toBe(true)
  })

  it('whose commit was done and not confirmed, does not take it for another', async () => {
    const { clock, process, token, status, server } = await createExpired()
    const { commitRefresh } = process.store
    let lost = 1
    process.store.commitRefresh = async (...input) => {
      const stored = await commitRefresh(...input)
      if (lost-- > 0) throw new Error('the connection to the database broke')
      return stored
    }
    expect(await token()).toBe('at-2')
    await clock.advance(6_000)
    expect(await status()).toMatchObject({ healthy: true, state: 'ACTIVE' })
    expect(server.http.sent.filter(({ body }) => body.includes('refresh_token='))).toHaveLength(1)
  })
})

describe('a spool that takes nothing either', () => {
  it('has the tokens wait in memory; nobody is answered and no stop ends before they are stored', async () => {
    const { clock, process, token, broker, run } = await createExpired()
    const mend = fillStore(process, ...commits)
    fillSpool(process)
    const waiting = token()
    await settle()
    const stopped = broker.stop()
    let isStopped = false
    void stopped.then(() => {
      isStopped = true
    })
    await clock.advance(30_000)
    expect(await waiting).toBe('PROVIDER_UNAVAILABLE')
    expect(isStopped).toBe(false)
    mend()
    await clock.advance(6_000)
    await stopped
    expect(await (await run()).token()).toBe('at-2')
  })

  it.each([
    ['a new consent', false],
    ['a disconnect and a new consent', true],
  ])('does not bring the old grant back after %s', async (_, disconnects) => {
    const { clock, process, token, connect, disconnect } = await createExpired()
    const mend = fillStore(process, ...commits)
    fillSpool(process)
    void token()
    await settle()
    mend()
    if (disconnects) await disconnect()
    await connect()
    expect(await token()).toBe('at-3')
    await clock.advance(10_000)
    expect(await token()).toBe('at-3')
  })

  it('has a crash reported as the loss that it is', async () => {
    const { clock, process, token, crash, run } = await createExpired()
    fillStore(process, ...commits)
    fillSpool(process)
    void token()
    await settle()
    crash()
    const restarted = await run()
    await clock.advance(5_000)
    expect((await restarted.status()).diagnosis).toMatch(/^the answer to a refresh was lost/)
  })
})

describe('stop()', () => {
  it('waits for an answer that is under way, and stores it', async () => {
    const { clock, server, token, broker, run } = await createExpired()
    const gate = Promise.withResolvers<void>()
    server.script.push(acted.late(gate.promise))
    void token()
    await settle()
    let isStopped = false
    const stopped = broker.stop().then(() => {
      isStopped = true
    })
    await clock.advance(40_000)
    expect(isStopped).toBe(false)
    gate.resolve()
    await stopped
    expect(await (await run()).token()).toBe('at-2')
  })

  it('ends once the tokens are in the spool', async () => {
    const { process, token, broker, run } = await createExpired()
    fillStore(process, ...commits)
    await token()
    await broker.stop()
    expect(await (await run()).token()).toBe('at-2')
  })
})
