import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/broker/errors.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000
const reason = (value: string) => expect.objectContaining({ reason: value })

describe('getAccessToken()', () => {
  it('asks for consent where nothing was ever connected', async () => {
    const { get } = await createWorld()
    await expect(get()).rejects.toEqual(reason('CONSENT_REQUIRED'))
    await expect(get({ provider: 'none' })).rejects.toEqual(reason('PROVIDER_NOT_FOUND'))
  })

  it('answers from memory, without a request, and records the release first', async () => {
    const { connect, get, server, releases } = await createWorld()
    await connect()
    const requests = server.http.sent.length
    const token = await get()
    expect(token.accessToken.expose()).toBe('at-1')
    expect(token).toMatchObject({
      expiry: 'STATED',
      source: 'OAUTH',
      scopes: ['a', 'b'],
      degraded: undefined,
    })
    expect(releases).toMatchObject([{ caller: 'tester', version: token.version }])
    expect(server.http.sent).toHaveLength(requests)
  })

  it('renews behind the caller inside the margin', async () => {
    const { connect, get, clock } = await createWorld()
    await connect()
    await clock.advance(HOUR - 300_000)
    expect((await get()).accessToken.expose()).toBe('at-1')
    await settle()
    expect((await get()).accessToken.expose()).toBe('at-2')
  })

  it('makes a thousand callers of an expired token wait for one refresh', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const before = server.http.sent.length
    const tokens = await Promise.all(Array.from({ length: 1_000 }, () => get()))
    expect(new Set(tokens.map(token => token.accessToken.expose()))).toEqual(new Set(['at-2']))
    expect(server.http.sent).toHaveLength(before + 1)
  })

  it('gives nobody a token, and records none as given, whose right was taken while the refresh went on', async () => {
    const { connect, get, clock, server, releases } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    let may = true
    const authorize = () => {
      if (!may) throw new BrokerError('ACCESS_DENIED', 'not any more')
    }
    const [late, other] = [get({ authorize }), get()]
    may = false
    gate.resolve()
    await expect(late).rejects.toEqual(reason('ACCESS_DENIED'))
    expect((await other).accessToken.expose()).toBe('at-2')
    expect(releases).toHaveLength(1)
  })

  it('judges who is given a static token, too, before it is recorded', async () => {
    const staticToken = new Secret('canary-static')
    const { get, releases } = await createWorld({ provider: { staticAccessToken: staticToken } })
    const authorize = () => {
      throw new BrokerError('ACCESS_DENIED', 'not any more')
    }
    await expect(get({ authorize })).rejects.toEqual(reason('ACCESS_DENIED'))
    expect(releases).toEqual([])
  })

  it('lets a caller give up without ending the refresh', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const impatient = new AbortController()
    const waiting = get({ signal: impatient.signal })
    const slow = get()
    await settle()
    impatient.abort()
    await expect(waiting).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    await Promise.all([expect(slow).rejects.toEqual(reason('PROVIDER_UNAVAILABLE')), clock.advance(10_000)])
    gate.resolve()
    await settle()
    expect((await get()).accessToken.expose()).toBe('at-2')
  })

  it('hands out a good token while the provider is down, and says that it is degraded', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(HOUR - 300_000)
    server.script.push(answers.down)
    await get()
    await settle()
    const token = await get()
    expect(token.accessToken.expose()).toBe('at-1')
    expect(token.degraded?.reason).toBe('PROVIDER_UNAVAILABLE')
  })

  it('fails with a retry delay once the token has expired, and asks the provider rarely', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const before = server.http.sent.length
    server.script.push(answers.down)
    const error = await get().catch(caught => caught)
    expect(error).toBeInstanceOf(BrokerError)
    expect(error).toMatchObject({ reason: 'PROVIDER_UNAVAILABLE', details: { retryAfterMs: 1_000 } })
    await expect(get()).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    expect(server.http.sent).toHaveLength(before + 1)
    await clock.advance(1_000)
    expect((await get()).accessToken.expose()).toBe('at-2')
  })

  it('needs a second refusal before the grant counts as dead', async () => {
    const { connect, get, clock, server, status } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    server.script.push(answers.refused, answers.refused)
    await expect(get()).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    expect((await status()).state).toBe('ACTIVE')
    await clock.advance(30_000)
    await expect(get()).rejects.toEqual(reason('REAUTH_REQUIRED'))
    expect(await status()).toMatchObject({ state: 'REAUTH_REQUIRED', connected: false })
  })

  it('forgets a single refusal when the next refresh succeeds', async () => {
    const { connect, get, clock, server, status } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    server.script.push(answers.refused)
    await expect(get()).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    await clock.advance(30_000)
    expect((await get()).accessToken.expose()).toBe('at-2')
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true, consecutiveFailures: 0 })
  })

  it('blames the provider configuration for a wrong secret and keeps the connection', async () => {
    const { connect, get, clock, server, status } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    server.script.push(answers.wrongClient)
    await expect(get()).rejects.toEqual(reason('PROVIDER_MISCONFIGURED'))
    expect((await status()).state).toBe('PROVIDER_MISCONFIGURED')
    const before = server.http.sent.length
    await clock.advance(20_000)
    await expect(get()).rejects.toEqual(reason('PROVIDER_MISCONFIGURED'))
    expect(server.http.sent).toHaveLength(before)
    await clock.advance(40_000)
    expect((await get()).accessToken.expose()).toBe('at-2')
    expect((await status()).state).toBe('ACTIVE')
  })

  it('replaces a rejected version once, however many report it', async () => {
    const { connect, get, server } = await createWorld()
    await connect()
    const { version } = await get()
    const before = server.http.sent.length
    const tokens = await Promise.all(Array.from({ length: 50 }, () => get({ rejectedVersion: version })))
    expect(tokens.every(token => token.accessToken.expose() === 'at-2')).toBe(true)
    expect((await get({ rejectedVersion: version })).accessToken.expose()).toBe('at-2')
    expect(server.http.sent).toHaveLength(before + 1)
  })

  it('tells the reporter of a rejected version that the refresh failed, and serves the others', async () => {
    const { connect, get, server } = await createWorld()
    await connect()
    const { version } = await get()
    server.script.push(answers.down)
    await expect(get({ rejectedVersion: version })).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    expect((await get()).version).toBe(version)
  })

  it('refreshes for rejected versions three times a minute', async () => {
    const { connect, get, clock } = await createWorld()
    await connect()
    const reject = async () => get({ rejectedVersion: (await get()).version })
    for (let i = 0; i < 3; i++) await reject()
    await expect(reject()).rejects.toEqual(reason('RATE_LIMITED'))
    await clock.advance(60_000)
    await reject()
  })

  it('names scopes that were not granted, and the lifetime that cannot be reached', async () => {
    const { connect, get, clock } = await createWorld()
    await connect()
    await expect(get({ requiredScopes: ['a', 'z'] })).rejects.toMatchObject({
      reason: 'SCOPE_NOT_GRANTED',
      details: { metadata: { missing_scopes: 'z' } },
    })
    await clock.advance(1)
    await expect(get({ minTtlMs: 2 * HOUR })).rejects.toMatchObject({
      reason: 'MIN_TTL_UNREACHABLE',
      details: { metadata: { lifetime_seconds: '3600' } },
    })
    expect((await get({ minTtlMs: 0 })).accessToken.expose()).toBe('at-1')
  })

  it('treats a token as expired if the wall clock alone says so, and if only the monotonic clock does', async () => {
    const forward = await createWorld()
    await forward.connect()
    forward.clock.jump(HOUR)
    expect((await forward.get()).accessToken.expose()).toBe('at-2')
    const back = await createWorld()
    await back.connect()
    await back.clock.advance(HOUR)
    back.clock.jump(-HOUR)
    expect((await back.get()).accessToken.expose()).toBe('at-2')
  })

  it('answers the static token until something is connected, and only for the empty account', async () => {
    const staticAccessToken = new Secret('static')
    const { connect, get } = await createWorld({ provider: { staticAccessToken } })
    const token = await get()
    expect(token).toMatchObject({ source: 'STATIC', expiry: 'UNKNOWN' })
    expect(token.accessToken.expose()).toBe('static')
    await expect(get({ rejectedVersion: token.version })).rejects.toEqual(reason('STATIC_TOKEN_REJECTED'))
    await expect(get({ account: 'x' })).rejects.toEqual(reason('CONSENT_REQUIRED'))
    await connect()
    expect((await get()).source).toBe('OAUTH')
  })

  it('obtains client credentials at first use, once', async () => {
    const definition = { refresh: { mode: 'client_credentials' } }
    const { get, server, clock, status } = await createWorld({ definition })
    await expect(get({ account: 'x' })).rejects.toEqual(reason('CONSENT_REQUIRED'))
    expect((await status()).diagnosis).toBe(
      'not connected; nobody has to consent: the first call for a token connects',
    )
    const tokens = await Promise.all([get(), get(), get()])
    expect(tokens.map(token => token.accessToken.expose())).toEqual(['at-1', 'at-1', 'at-1'])
    expect(server.http.sent).toHaveLength(1)
    await clock.advance(HOUR)
    expect((await get()).accessToken.expose()).toBe('at-2')
  })

  it.each([
    ['another client', { clientId: 'another' }],
    ['an endpoint elsewhere', { endpointsBase: 'https://evil.example' }],
    ['an endpoint on this machine', { endpointsBase: 'http://127.0.0.1:9' }],
  ])('never sends tokens to %s, if that is what the configuration moved to', async (_, change) => {
    const { connect, boot, clock, server, name } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const moved = boot(change)
    const before = server.http.sent.length
    const request = { ...name, caller: { name: 't', authentication: 'x' }, requiredScopes: [] }
    await expect(moved.getAccessToken(request)).rejects.toEqual(reason('PROVIDER_MISCONFIGURED'))
    expect((await moved.getStatus({ ...name, verify: false })).state).toBe('PROVIDER_MISCONFIGURED')
    expect(server.http.sent).toHaveLength(before)
  })

  it('refuses a first release that the audit cannot record', async () => {
    const { connect, get, audit } = await createWorld()
    await connect()
    const { AuditError } = await import('../../src/audit/audit.ts')
    audit.recordRelease = async () => {
      throw new AuditError({ cause: new Error('disk full') })
    }
    await expect(get()).rejects.toEqual(reason('BROKER_UNAVAILABLE'))
  })
})
