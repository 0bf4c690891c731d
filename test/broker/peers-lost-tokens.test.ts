import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/store/store.ts'
import { settle } from './fake-clock.ts'
import { dieAt, fillStore } from './faults.ts'
import { grantTo } from './grant-to.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A running broker whose only connection has just expired. */
async function createExpired(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  const refreshes = () =>
    machine.server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return { machine, ...machine, ...process, process, refreshes }
}

describe('tokens that others lost', () => {
  it('paradigmxyz/iron-proxy#178: one failed write bricks the credential by replaying the consumed token', async () => {
    const { clock, server, process, token, refreshes } = await createExpired()
    server.replay = 'single_use_family'
    const mend = fillStore(process, 'commitRefresh')
    expect(await token()).toBe('at-2')
    await clock.advance(MINUTE)
    expect(refreshes()).toBe(1)
    mend()
    await clock.advance(HOUR)
    expect(await token()).toBe('at-3')
  })

  it('paradigmxyz/iron-proxy#176: one bad credential poisons the store client for all', async () => {
    const { clock, process, connect, token } = await createExpired()
    await connect({ account: 'good' })
    clock.jump(HOUR)
    const bad = (await process.store.findConnection('acme', ''))?.id
    const { beginAttempt } = process.store
    process.store.beginAttempt = async attempt => {
      if (attempt.id === bad) throw new StoreError('corrupt', 'that row is broken')
      return beginAttempt(attempt)
    }
    expect(await token()).toBe('BROKER_UNAVAILABLE')
    expect(await token({ account: 'good' })).toMatch(/^at-/)
    await clock.advance(HOUR)
    expect(await token({ account: 'good' })).toMatch(/^at-/)
  })

  it('stacklok/toolhive#5636: a swallowed write failure replays a dead token', async () => {
    const { clock, server, process, token, log, broker, refreshes } = await createExpired()
    server.replay = 'single_use_family'
    fillStore(process, 'commitRefresh')
    await token()
    clock.jump(HOUR)
    await clock.advance(MINUTE)
    expect(refreshes()).toBe(1)
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'Could not store renewed tokens' }),
    )
    expect(broker.unreadiness()).toContain('1 renewed sets of tokens wait to be stored')
  })

  it.each([
    ['stacklok/toolhive#6194: a validation that fails after the exchange', answers.down],
    ['goplus/builder#3453: a call for the user that fails after the exchange', answers.unreachable],
  ])('%s throws the tokens away', async (_, failure) => {
    const verify = { url: 'https://as.example/userinfo', yields: { provider_account_id: '/sub' } }
    const machine = createMachine({ definition: { operations: { verify }, answer: {} } })
    const { connect, token, run } = { ...machine, ...(await machine.run()) }
    machine.server.script.push(act => act(), failure)
    await connect()
    expect(machine.server.script).toEqual([])
    expect(await token()).toBe('at-1')
    machine.clock.jump(HOUR)
    expect(await token()).toBe('at-2')
    expect(await (await run()).token()).toBe('at-2')
  })

  it('grafana/gcx#522: an expiry that cannot be parsed throws a rotation away', async () => {
    const { server, token, crash, run } = await createExpired()
    server.script.push(act => {
      const { status, body } = act()
      return { status, body: { ...(body as object), expires_in: '2026-13-45T99:99' } }
    })
    expect(await token()).toBe('at-2')
    crash()
    expect(await (await run()).token()).toBe('at-2')
    expect(server.accepts('rt-2')).toBe(true)
  })

  it('UsefulSoftwareCo/executor#1377: a token is spent although the store cannot be written', async () => {
    const { process, token, refreshes } = await createExpired()
    fillStore(process)
    expect(await token()).toBe('BROKER_UNAVAILABLE')
    expect(refreshes()).toBe(0)
  })

  it('ColeMurray/background-agents#1243: a write that is repeated overwrites a newer winner', async () => {
    const { clock, process, token, connect, server } = await createExpired()
    const mend = fillStore(process, 'commitRefresh')
    expect(await token()).toBe('at-2')
    await connect()
    mend()
    await clock.advance(MINUTE)
    expect(await token()).toBe('at-3')
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('anthropics/claude-code#93014: a network error during a refresh logs the user out', async () => {
    const { clock, server, token, status } = await createExpired()
    server.replay = 'window'
    server.script.push(acted.lost)
    await token()
    await clock.advance(SECOND)
    expect(await status()).toMatchObject({ healthy: true })
    expect(await token()).toBe('at-3')
  })

  it('kurrent-io/kcap-cli#946: a late reply is given up, and repeated after the window', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, token, refreshes } = await createExpired()
    server.script.push(acted.late(gate.promise))
    const given = token()
    await clock.advance(45 * SECOND)
    expect(await given).toBe('PROVIDER_UNAVAILABLE')
    expect(refreshes()).toBe(1)
    gate.resolve()
    await settle()
    expect(await token()).toBe('at-2')
  })

  it('zitadel/zitadel#9631: five of a hundred devices a day lose a response, and their login', async () => {
    const machine = createMachine({ provider: { limits: { concurrency: 16, perSecond: 100 } } })
    const { clock, server } = machine
    server.replay = 'window'
    const process = await machine.run()
    const accounts = Array.from({ length: 100 }, (_, index) => `device-${index}`)
    await grantTo(machine, process, accounts)
    let answered = 0
    server.always = act => (++answered % 20 === 0 ? acted.lost(act) : act())
    for (let hour = 0; hour < 10; hour++) {
      clock.jump(HOUR)
      await clock.advance(30 * SECOND)
    }
    expect(answered).toBeGreaterThan(1_000)
    for (const account of accounts) {
      expect(await process.status({ account })).toMatchObject({ state: 'ACTIVE', connected: true })
    }
  })

  it('langgenius/dify#32174: refreshed credentials are never committed, so everybody refreshes', async () => {
    const { token, boot, refreshes } = await createExpired()
    expect(await token()).toBe('at-2')
    expect(await boot().token()).toBe('at-2')
    expect(refreshes()).toBe(1)
  })

  it('stacklok/toolhive#4036: the refresh token goes when the access token expires', async () => {
    const { clock, broker, run } = await createExpired()
    await broker.stop()
    clock.jump(90 * 24 * HOUR)
    const restarted = await run()
    await clock.advance(MINUTE)
    expect(await restarted.token()).toBe('at-2')
  })

  it('airbytehq/airbyte#3990: "if the worker crashes the update is lost … that is OK for now"', async () => {
    const { clock, server, process, token, run } = await createExpired()
    server.replay = 'window'
    dieAt(process, 'commitRefresh')
    void token()
    await settle()
    const restarted = await run()
    await clock.advance(SECOND)
    expect(await restarted.token()).toBe('at-3')
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('NangoHQ/nango: a reconnect during a refresh is overwritten by the old grant', async () => {
    const gate = Promise.withResolvers<void>()
    const { server, token, connect } = await createExpired()
    server.script.push(acted.late(gate.promise))
    void token()
    await settle()
    await connect()
    gate.resolve()
    await settle()
    expect(await token()).toBe('at-3')
    expect(server.accepts('rt-3')).toBe(true)
  })

  it('NangoHQ/nango: what is written beside a refresh is overwritten by the row that it began with', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, process, token } = await createExpired()
    const row = await process.store.findConnection('acme', '')
    if (row === undefined) throw new Error('not connected')
    server.script.push(acted.late(gate.promise))
    void token()
    await settle()
    await process.store.touchConnections([{ id: row.id, lastUsedAt: clock.now() }])
    await process.store.enrichConnection(row, { providerAccountName: "Alice's shop" })
    gate.resolve()
    await settle()
    expect(await token()).toBe('at-2')
    const facts = { lastUsedAt: clock.now(), providerAccountName: "Alice's shop" }
    expect(await process.store.findConnection('acme', '')).toMatchObject(facts)
  })

  it('oauthapp engine: a standby that cannot write spends the token, and the active one spends it again', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    server.replay = 'single_use_family'
    const [active, standby] = [await machine.run({ replica: 'a' }), machine.boot({ replica: 'b' })]
    await active.connect()
    fillStore(standby)
    clock.jump(HOUR)
    expect(await standby.token()).toBe('BROKER_UNAVAILABLE')
    expect(await active.token()).toBe('at-2')
    expect(await standby.token()).toBe('at-2')
  })

  it('oauthapp engine: an outage of days, or a wrong secret, deletes credentials', async () => {
    const { clock, server, status, broker, run } = await createExpired()
    for (const answer of [answers.down, answers.wrongClient]) {
      server.always = answer
      await clock.advance(5 * MINUTE)
      clock.jump(48 * HOUR)
      await clock.advance(5 * MINUTE)
    }
    expect(await status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED' })
    await broker.stop()
    server.always = undefined
    expect(await (await run()).token()).toBe('at-2')
  })

  it('Composio, oauthapp engine: a delete does not revoke', async () => {
    const { server, disconnect } = await createExpired()
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(server.accepts('rt-1')).toBe(false)
  })
})
