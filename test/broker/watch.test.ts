import { describe, expect, it } from 'vitest'
import type { ConnectionName, ConnectionStatus, TokenState } from '../../src/broker/broker.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { answers } from './scripted-server.ts'
import { createWorld, type WorldOptions } from './world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const OTHER = { provider: 'acme', account: 'other' }

/** A world whose streams are read as fast as they come. */
async function createWatchedWorld(options: WorldOptions = {}) {
  const world = await createWorld(options)
  const { broker, name } = world

  function watch(connections: readonly ConnectionName[] = [name], over: object = {}) {
    const ending = new AbortController()
    const seen: TokenState[] = []
    const ended = (async () => {
      const states = broker.watchAccessTokens({
        connections,
        caller: { name: 'watcher', authentication: 'static_token' },
        authorize: () => {},
        signal: ending.signal,
        ...over,
      })
      for await (const state of states) seen.push(state)
    })()
    ended.catch(() => {})
    /** What was seen since it was asked last: the secret of a token, or the reason of an error. */
    const news = () =>
      seen.splice(0).map(state => ('token' in state ? state.token.accessToken.expose() : state.error.reason))
    return { seen, news, ended, end: () => ending.abort() }
  }

  function watchStates() {
    const ending = new AbortController()
    const seen: ConnectionStatus[] = []
    const ended = (async () => {
      const request = { visible: () => true, signal: ending.signal }
      for await (const status of broker.watchConnections(request)) seen.push(status)
    })()
    ended.catch(() => {})
    const news = () => seen.splice(0).map(({ account, state }) => `${account} ${state}`)
    return { seen, news, ended, end: () => ending.abort() }
  }

  return { ...world, watch, watchStates }
}

describe('a watch of tokens', () => {
  it('says what is not there, and each connect, refresh and disconnect', async () => {
    const { watch, connect, broker, name } = await createWatchedWorld()
    const { news } = watch([name, { provider: 'none', account: 'x' }])
    await settle()
    expect(news()).toEqual(['CONSENT_REQUIRED', 'PROVIDER_NOT_FOUND'])
    await connect()
    await settle()
    expect(news()).toEqual(['at-1'])
    await broker.refresh(name)
    await settle()
    expect(news()).toEqual(['at-2'])
    await broker.disconnect({ ...name, shared: 'KEEP' })
    await settle()
    expect(news()).toEqual(['CONSENT_REQUIRED'])
    await connect()
    await settle()
    expect(news()).toEqual(['at-3'])
  })

  it('records each release for its caller before the token leaves', async () => {
    const { watch, connect, broker, name, releases } = await createWatchedWorld()
    await connect()
    const { seen } = watch()
    await settle()
    await broker.refresh(name)
    await settle()
    const versions = seen.map(state => ('token' in state ? state.token.version : ''))
    expect(releases.map(({ caller, version }) => [caller, version])).toEqual(
      versions.map(version => ['watcher', version]),
    )
  })

  it('answers a static token until there is a connection', async () => {
    const provider = { staticAccessToken: new Secret('static') }
    const { watch, connect } = await createWatchedWorld({ provider })
    const { news } = watch()
    await settle()
    expect(news()).toEqual(['static'])
    await connect()
    await settle()
    expect(news()).toEqual(['at-1'])
  })

  it('connects with client credentials at first use', async () => {
    const definition = { refresh: { mode: 'client_credentials' } }
    const { watch } = await createWatchedWorld({ definition })
    const { news } = watch()
    await settle()
    expect(news()).toEqual(['at-1'])
  })

  it('of an expired token waits for its refresh, and holds up nothing', async () => {
    const { watch, connect, clock, server, name } = await createWatchedWorld()
    server.lifetime = 7_200
    await connect({ account: 'other' })
    server.lifetime = 3_600
    await connect()
    await clock.advance(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const { news } = watch([name, OTHER])
    await settle()
    expect(news()).toEqual(['at-1'])
    gate.resolve()
    await settle()
    expect(news()).toEqual(['at-3'])
  })

  it('says PROVIDER_UNAVAILABLE after the ten seconds that any caller waits, then gives the late token', async () => {
    const { watch, connect, clock, server } = await createWatchedWorld()
    await connect()
    await clock.advance(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const { news } = watch()
    await clock.advance(9_999)
    expect(news()).toEqual([])
    await clock.advance(1)
    expect(news()).toEqual(['PROVIDER_UNAVAILABLE'])
    gate.resolve()
    await settle()
    expect(news()).toEqual(['at-2'])
  })

  it('keeps a good token degraded through an outage, says when it ends, and goes on after', async () => {
    const { watch, connect, clock, server, broker, name } = await createWatchedWorld()
    await connect()
    await broker.start()
    server.script.push(...Array.from({ length: 1_000 }, () => answers.down))
    const { seen, news } = watch()
    await clock.advance(HOUR - 1_000)
    expect(seen.map(state => 'token' in state && (state.token.degraded?.reason ?? 'good'))).toEqual([
      'good',
      'PROVIDER_UNAVAILABLE',
    ])
    news()
    await clock.advance(2_000)
    expect(news()).toEqual(['PROVIDER_UNAVAILABLE'])
    server.script.length = 0
    await clock.advance(120_000)
    expect(news().at(-1)).toMatch(/^at-/)
    expect((await broker.getStatus({ ...name, verify: false })).healthy).toBe(true)
    await broker.stop()
  })

  it('has its token renewed ahead, though nobody else has used the connection for weeks', async () => {
    const { watch, connect, clock, server, broker, status } = await createWatchedWorld()
    server.lifetime = 86_400
    await connect()
    await broker.start()
    clock.jump(30 * DAY)
    await clock.advance(60_000)
    const { news } = watch()
    await clock.advance(2_000)
    expect(news()).toHaveLength(1)
    expect((await status()).lastUsedAt).toBeGreaterThan(clock.now() - 3_000)
    for (let day = 0; day < 10; day++) {
      for (let hour = 0; hour < 24; hour++) {
        clock.jump(HOUR - 60_000)
        await clock.advance(60_000)
      }
      expect(news().filter(what => !what.startsWith('at-'))).toEqual([])
      const { expiresAt = 0 } = await status()
      expect(expiresAt).toBeGreaterThan(clock.now())
    }
    await broker.stop()
  }, 60_000)

  it('says that a grant is dead once its token has ended, and what a new consent brings', async () => {
    const { watch, connect, clock, broker, name } = await createWatchedWorld({
      definition: { answer: { refresh_token: '/none', provider_account_id: '/account' } },
    })
    await connect()
    await broker.start()
    const { news } = watch([name])
    await clock.advance(HOUR + 2_000)
    expect(news()).toEqual(['at-1', 'REAUTH_REQUIRED'])
    await connect()
    await settle()
    expect(news()).toEqual(['at-2'])
    await broker.stop()
  })

  it('ends with what its caller has lost', async () => {
    const { watch, connect, broker, name } = await createWatchedWorld()
    await connect()
    let allowed = true
    const { ended } = watch([name], {
      authorize: () => {
        if (!allowed) throw new BrokerError('ACCESS_DENIED', 'not any more')
      },
    })
    await settle()
    allowed = false
    await broker.refresh(name)
    await expect(ended).rejects.toMatchObject({ reason: 'ACCESS_DENIED' })
  })

  it('gives a new token to a thousand streams within a second, for one refresh', async () => {
    const { watch, connect, clock, server, broker, name } = await createWatchedWorld({ fraction: 0.999 })
    await connect()
    const watches = Array.from({ length: 1_000 }, () => watch())
    await settle()
    for (const { news } of watches) expect(news()).toEqual(['at-1'])
    const before = server.http.sent.length
    await broker.refresh(name)
    await settle()
    expect(watches.filter(({ seen }) => seen.length > 0)).toHaveLength(100)
    await clock.advance(1_000)
    expect(watches.filter(({ seen }) => seen.length === 1)).toHaveLength(1_000)
    expect(server.http.sent).toHaveLength(before + 1)
  })

  it('is told of what another process wrote', async () => {
    const { watch, connect, boot, store, name } = await createWatchedWorld()
    let tell: (name: ConnectionName) => void = () => {}
    store.onForeignChange = listener => {
      tell = listener
      return () => {}
    }
    await connect()
    const replica = boot()
    const states = replica.watchAccessTokens({
      connections: [name],
      caller: { name: 'watcher', authentication: 'static_token' },
      authorize: () => {},
      signal: new AbortController().signal,
    })
    const stream = states[Symbol.asyncIterator]()
    expect((await stream.next()).value).toMatchObject({ token: { version: expect.any(String) } })
    await store.removeConnection(name.provider, name.account)
    tell(name)
    expect((await stream.next()).value).toMatchObject({ error: { reason: 'CONSENT_REQUIRED' } })
    // Nobody else watches in this world: what the first process knows is of no interest.
    watch().end()
  })
})

describe('a watch of states', () => {
  it('lists what there is, then tells of each connect, failure and disconnect', async () => {
    const { watchStates, connect, broker, name, server } = await createWatchedWorld()
    await connect()
    const { news, seen } = watchStates()
    await settle()
    expect(news()).toEqual([' ACTIVE'])
    await connect({ account: 'other' })
    await settle()
    expect(news()).toEqual(['other ACTIVE'])
    server.script.push(answers.down)
    await broker.refresh(name)
    await settle()
    expect(seen.map(({ lastError }) => lastError?.reason)).toEqual(['PROVIDER_UNAVAILABLE'])
    news()
    await broker.disconnect({ ...OTHER, shared: 'KEEP' })
    await settle()
    expect(news()).toEqual(['other NOT_CONNECTED'])
  })

  it('does not tell of uses', async () => {
    const { watchStates, connect, get, clock } = await createWatchedWorld()
    await connect()
    const { news } = watchStates()
    await settle()
    news()
    await get()
    await clock.advance(120_000)
    expect(news()).toEqual([])
  })

  it('tells of all connections of a provider that refuses our client', async () => {
    const { watchStates, connect, broker, name, server, clock } = await createWatchedWorld()
    await connect()
    await connect({ account: 'other' })
    const { news } = watchStates()
    await settle()
    news()
    server.script.push(answers.wrongClient)
    await broker.refresh(name)
    await clock.advance(5_000)
    expect(new Set(news())).toEqual(new Set([' PROVIDER_MISCONFIGURED', 'other PROVIDER_MISCONFIGURED']))
  })
})
