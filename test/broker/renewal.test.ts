import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import type { NewGrant } from '../../src/store/rows.ts'
import { StoreError } from '../../src/store/store.ts'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('renewal', () => {
  it('renews ahead while the connection is in use', async () => {
    const { connect, broker, clock, get } = await createWorld()
    await connect()
    broker.start()
    await clock.advance(HOUR)
    expect((await get()).accessToken.expose()).toBe('at-2')
    await broker.stop()
  })

  it('stops renewing a connection that nobody has used for a week', async () => {
    const { connect, broker, clock, server } = await createWorld()
    server.lifetime = 86_400
    await connect()
    broker.start()
    const day = async () => {
      clock.jump(86_400_000)
      await clock.advance(1_000)
    }
    for (let days = 0; days < 7; days++) await day()
    const sent = server.http.sent.length
    expect(sent).toBeGreaterThan(5)
    for (let days = 0; days < 3; days++) await day()
    expect(server.http.sent).toHaveLength(sent)
    await broker.stop()
  })

  it('settles what a crash interrupted before anything else', async () => {
    const { connect, boot, clock, store, name, server } = await createWorld()
    await connect()
    const row = await store.findConnection('acme', '')
    if (row === undefined) throw new Error('not connected')
    const { id, grantEpoch, counter } = row
    const attempt = { id, grantEpoch, counter, failures: 0, attemptId: 'lost', now: clock.now() }
    await store.beginAttempt({ ...attempt, leaseOwner: 'local', leaseUntil: clock.now() })
    const restarted = boot()
    expect((await store.findConnection('acme', ''))?.outcomeUnknownSince).toBe(clock.now())
    await restarted.start()
    await clock.advance(1)
    expect((await restarted.getStatus({ ...name, verify: false })).outcomeUnknownSince).toBeUndefined()
    expect(server.current()).toBe('rt-2')
    await restarted.stop()
  })

  it('asks for consent again when a token expires that cannot be renewed', async () => {
    const { connect, broker, clock, server, status } = await createWorld({
      definition: { answer: { refresh_token: '/none', provider_account_id: '/account' } },
    })
    await connect()
    broker.start()
    await clock.advance(HOUR + 1_000)
    expect(await status()).toMatchObject({ state: 'REAUTH_REQUIRED' })
    expect(server.http.sent).toHaveLength(1)
    await broker.stop()
  })

  it('renews a connection that was used lately, though its row was read long ago', async () => {
    const { connect, broker, clock, get, server, status } = await createWorld()
    server.lifetime = 30 * 86_400
    await connect()
    clock.jump(21 * DAY)
    await get()
    await clock.advance(60_000)
    expect((await status()).lastUsedAt).toBe(clock.now() - 60_000)
    broker.start()
    clock.jump(5 * DAY)
    await clock.advance(1_000)
    clock.jump(DAY)
    await clock.advance(1_000)
    expect(server.current()).toBe('rt-2')
    expect((await status()).nextRefreshAt).toBeDefined()
    await broker.stop()
  })

  it('renews at the jittered moment', async () => {
    const { connect, broker, clock, server } = await createWorld({ fraction: 0.5 })
    await connect()
    broker.start()
    await clock.advance(HOUR - 360_000 - 36_000 + 2_000)
    expect(server.current()).toBe('rt-2')
    await broker.stop()
  })

  it('slides the end of a refresh token whose lifetime the definition states', async () => {
    const definition = { refresh: { refresh_lifetime: { of: '60d', kind: 'sliding' } } }
    const { connect, broker, name, clock, status } = await createWorld({ definition })
    await connect()
    await clock.advance(HOUR)
    await broker.refresh(name)
    expect((await status()).refreshExpiresAt).toBe(clock.now() + 60 * DAY)
  })

  it('is not starved by connections that cannot be renewed', async () => {
    const { connect, broker, clock, server, store } = await createWorld()
    await connect()
    for (let i = 0; i < 150; i++) {
      await store.saveGrant(await grantOf(store, `gone-${i}`))
    }
    broker.start()
    await clock.advance(HOUR - 300_000)
    expect(server.current()).toBe('rt-2')
    await broker.stop()
  })

  it('of one provider is not held up by another that does not answer, nor by a revocation', async () => {
    const other = {
      id: 'slow',
      redirectPath: '/slow',
      redirectUri: 'https://broker.example/slow',
    }
    const { connect, broker, clock, server, name, depart } = await createWorld({ others: [other] })
    const { state } = await depart({ provider: 'slow' })
    const cookie = new Secret('the-cookie')
    const parameters = [
      ['code', new Secret('c')],
      ['state', new Secret(state)],
    ] as const
    await broker.consent.finish({ path: '/slow', parameters, cookie })
    await clock.advance(10_000)
    await connect()
    await connect({ account: 'leaving' })
    broker.start()
    server.script.push(answers.down)
    await broker.disconnect({ ...name, account: 'leaving', shared: 'KEEP' })
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    server.script.push(...gates.map(gate => gate.promise))
    await clock.advance(HOUR - 360_000 - 5_000)
    const before = server.http.sent.length
    await clock.advance(10_000)
    expect(server.http.sent.length).toBe(before + 1)
    for (const gate of gates) gate.resolve()
    await broker.stop()
  })

  it('is not ready while the store cannot be written, sends nothing, and goes on when it can', async () => {
    const { connect, broker, clock, server, store } = await createWorld()
    await connect()
    broker.start()
    const { beginAttempt } = store
    store.beginAttempt = async () => {
      throw new StoreError('full', 'disk full')
    }
    const before = server.http.sent.length
    await clock.advance(HOUR - 300_000)
    expect(broker.unreadiness()).toEqual(['the store cannot be used'])
    expect(server.http.sent).toHaveLength(before)
    store.beginAttempt = beginAttempt
    await clock.advance(3_000)
    expect(broker.unreadiness()).toEqual([])
    expect(server.current()).toBe('rt-2')
    await broker.stop()
  })

  it('renews nothing while it rests, but finds out what became of a refresh whose answer was lost', async () => {
    const { connect, broker, clock, server, store } = await createWorld()
    for (const account of ['due', 'lost']) await connect({ account })
    broker.start()
    await clock.advance(1)
    const row = await store.findConnection('acme', 'lost')
    if (row === undefined) throw new Error('not connected')
    broker.rest()
    const { id, grantEpoch, counter } = row
    const attempt = { id, grantEpoch, counter, failures: 0, attemptId: 'lost', now: clock.now() }
    await store.beginAttempt({ ...attempt, leaseOwner: 'local', leaseUntil: clock.now() })
    await store.adoptAttempts({ now: clock.now(), leases: 'all' })
    const before = server.http.sent.length
    await clock.advance(HOUR)
    expect(server.http.sent).toHaveLength(before + 1)
    expect((await store.findConnection('acme', 'lost'))?.outcomeUnknownSince).toBeUndefined()
    await broker.stop()
  })

  it('starts nothing new once it is told to stop', async () => {
    const { connect, broker, clock, server } = await createWorld({
      provider: { limits: { concurrency: 1, perSecond: 100 } },
    })
    for (const account of ['a', 'b', 'c']) await connect({ account })
    broker.start()
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const before = server.http.sent.length
    await clock.advance(HOUR - 300_000)
    expect(server.http.sent).toHaveLength(before + 1)
    const stopped = broker.stop()
    gate.resolve()
    await stopped
    expect(server.http.sent).toHaveLength(before + 1)
  })
})

async function grantOf(store: Awaited<ReturnType<typeof createWorld>>['store'], account: string) {
  const row = await store.findConnection('acme', '')
  if (row === undefined) throw new Error('not connected')
  const grant: NewGrant = {
    ...row,
    id: account,
    provider: 'gone',
    account,
    nextRefreshAt: row.connectTime,
    expected: null,
    cancelRevocations: false,
  }
  return grant
}
