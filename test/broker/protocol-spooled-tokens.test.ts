import { describe, expect, it } from 'vitest'
import { type FakeClock, settle } from './fake-clock.ts'
import { fillStore } from './faults.ts'
import { createMachine, type MachineOptions, type Process } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const HOUR = 3_600_000
const commits = ['commitRefresh', 'keepRefreshToken', 'keepSibling', 'failRefresh'] as const

/** A running broker whose only connection has its renewed tokens in the spool, because the store takes none. */
async function createSpooled(options: MachineOptions = {}) {
  const machine = createMachine(options)
  machine.server.replay = 'single_use_family'
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  const mend = fillStore(process, ...commits)
  await process.token()
  return { ...machine, ...process, process, mend }
}

describe('while tokens wait in the spool', () => {
  it('a disconnect ends them, and they are revoked', async () => {
    const { clock, server, disconnect, token, mend, process, broker } = await createSpooled()
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(await token()).toBe('CONSENT_REQUIRED')
    mend()
    await clock.advance(10_000)
    expect(await token()).toBe('CONSENT_REQUIRED')
    expect(server.revoked).toContain('rt-2')
    expect((await process.spool.list()).commits).toEqual([])
    expect(await process.store.hasSealedData()).toBe(false)
    expect(broker.unreadiness()).toEqual([])
  })

  it('a disconnect before a crash ends them in the next run', async () => {
    const { clock, server, disconnect, crash, run } = await createSpooled()
    await disconnect()
    crash()
    const restarted = await run()
    await clock.advance(2_000)
    expect(await restarted.token()).toBe('CONSENT_REQUIRED')
    expect(server.revoked).toContain('rt-2')
    expect((await restarted.spool.list()).commits).toEqual([])
    expect(await restarted.store.hasSealedData()).toBe(false)
  })

  it('a new consent wins, and they are revoked', async () => {
    const { clock, server, connect, token, mend, status } = await createSpooled()
    await connect()
    expect(await token()).toBe('at-3')
    mend()
    await clock.advance(10_000)
    expect(await token()).toBe('at-3')
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.revoked).toEqual(['rt-2'])
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('a new consent wins in the next run, too', async () => {
    const { clock, server, connect, crash, run } = await createSpooled()
    await connect()
    crash()
    const restarted = await run()
    await clock.advance(2_000)
    expect(await restarted.token()).toBe('at-3')
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('a new consent is not killed by revoking them where that ends the whole account', async () => {
    const operations = { revoke: { url: 'https://as.example/revoke', revokes: 'account' } }
    const { clock, server, connect, token, mend } = await createSpooled({ definition: { operations } })
    await connect()
    mend()
    await clock.advance(10_000)
    expect(await token()).toBe('at-3')
    expect(server.revoked).toEqual([])
  })

  it('other connections go on as far as the store lets them', async () => {
    const { clock, connect, token, mend } = await createSpooled()
    await connect({ account: 'other' })
    expect(await token({ account: 'other' })).toBe('at-3')
    mend()
    await clock.advance(HOUR)
    expect(await token({ account: 'other' })).toMatch(/^at-/)
    expect(await token()).toMatch(/^at-/)
  })
})

describe('tokens of a former run that bring a dead connection back', () => {
  it.each([
    ['are recorded as such with their commit', () => {}],
    [
      'are recorded once, if the store takes them only later',
      (process: Process, clock: FakeClock) => clock.schedule(3_000, fillStore(process, ...commits)),
    ],
  ])('%s', async (_, trouble) => {
    const machine = createMachine()
    const { clock, server } = machine
    const former = await machine.run()
    await former.connect()
    server.always = answers.refused
    await former.broker.refresh(former.name)
    await clock.advance(60_000)
    expect(await former.status()).toMatchObject({ state: 'REAUTH_REQUIRED' })
    server.always = undefined
    fillStore(former, ...commits)
    await former.broker.refresh(former.name)
    former.crash()
    const process = machine.boot()
    trouble(process, clock)
    await process.broker.start()
    await clock.advance(20_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    const records = await process.store.listAuditRecordsAfter(0, 100)
    expect(records.filter(({ reason }) => reason === 'REFRESHED')).toMatchObject([
      {
        event: 'CONNECTION_STATE_CHANGED',
        outcome: 'SUCCEEDED',
        details: { from: 'REAUTH_REQUIRED', to: 'ACTIVE' },
      },
    ])
  })
})

describe('a spool', () => {
  it('whose record is damaged costs that connection alone, and says so', async () => {
    const { clock, connect, crash, boot } = await createSpooled()
    await connect({ account: 'other' })
    crash()
    const restarted = boot()
    await restarted.spool.remove((await restarted.spool.list()).commits[0]?.base ?? never())
    restarted.spool.list = async () => ({ commits: [], damaged: 1 })
    await restarted.broker.start()
    await clock.advance(5_000)
    expect(restarted.log).toContainEqual(expect.objectContaining({ level: 'error', fields: { damaged: 1 } }))
    expect((await restarted.status()).diagnosis).toMatch(/^the answer to a refresh was lost/)
    expect(await restarted.token({ account: 'other' })).toBe('at-3')
  })

  it('that cannot be wiped does not bring stored tokens back later', async () => {
    const { clock, process, mend, token, server, broker } = await createSpooled()
    const { remove } = process.spool
    process.spool.remove = async () => {
      throw new Error('the disk is broken')
    }
    mend()
    await clock.advance(10_000)
    expect(await token()).toBe('at-2')
    process.spool.remove = remove
    await clock.advance(10_000)
    expect(broker.unreadiness()).toEqual([])
    clock.jump(HOUR)
    expect(await token()).toBe('at-3')
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('that was not wiped before a crash does not bring them back either', async () => {
    const { clock, process, mend, crash, run, server } = await createSpooled()
    process.spool.remove = () => new Promise(() => {})
    mend()
    await clock.advance(10_000)
    crash()
    const restarted = await run()
    clock.jump(HOUR)
    await clock.advance(2_000)
    expect(await restarted.token()).toBe('at-3')
    expect(await restarted.status()).toMatchObject({ healthy: true })
    expect(server.accepts('rt-3')).toBe(true)
  })
})

describe('a failure that cannot be stored', () => {
  it('of which nobody knows the outcome is tried again soon after the store is back', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    server.replay = 'window'
    const process = await machine.run()
    await process.connect()
    const { version } = await process.get()
    const mend = fillStore(process, ...commits)
    server.script.push(acted.lost)
    expect(await process.token({ rejectedVersion: version })).toBe('BROKER_UNAVAILABLE')
    mend()
    await clock.advance(5_000)
    expect(await process.status()).toMatchObject({ healthy: true, outcomeUnknownSince: undefined })
    expect(server.accepts(server.current())).toBe(true)
    expect((await process.store.findConnection('acme', ''))?.outcomeUnknownSince).toBeUndefined()
  })

  it('leaves the tokens as they were', async () => {
    const machine = createMachine()
    const process = await machine.run()
    await process.connect()
    machine.clock.jump(HOUR)
    const mend = fillStore(process, ...commits)
    machine.server.script.push({ status: 400, body: { error: 'invalid_grant' } })
    expect(await process.token()).toBe('BROKER_UNAVAILABLE')
    await settle()
    mend()
    await machine.clock.advance(5_000)
    expect(await process.token()).toBe('at-2')
  })
})

function never(): never {
  throw new Error('nothing was spooled')
}
