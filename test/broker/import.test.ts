import { describe, expect, it } from 'vitest'
import type { ImportRequest } from '../../src/broker/broker.ts'
import { Secret } from '../../src/secret.ts'
import type { Store } from '../../src/store/store.ts'
import { answers } from './scripted-server.ts'
import { createWorld, type WorldOptions } from './world.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const bring = (token: string) => ({ kind: 'access_token' as const, token: new Secret(token) })
const migrating = (token: string) => ({ kind: 'migration_token' as const, token: new Secret(token) })

const verifiable = {
  operations: {
    verify: {
      url: 'https://as.example/token',
      yields: {
        provider_account_id: '/account',
        expires: { at: '/expires_in' },
        scope: { at: '/scope' },
      },
    },
  },
}
const told = { status: 200, body: { account: 'account-7', expires_in: 600, scope: 'a' } }

/** As Square's: JSON, the client in the body, the old token in `params`. */
const squareLike = {
  client_auth: 'body',
  operations: {
    migrate: {
      url: 'https://as.example/token',
      encoding: 'json',
      params: { grant_type: 'migration_token', migration_token: '{access_token}' },
    },
  },
} as const

async function importer(options: WorldOptions = {}) {
  const world = await createWorld(options)
  return {
    ...world,
    take: (over: Partial<ImportRequest> = {}) =>
      world.broker.importConnection({
        ...world.name,
        credential: bring('at-imported'),
        refreshToken: new Secret(world.server.current()),
        expiresAt: world.clock.now() + HOUR_MS,
        scopes: ['a', 'b'],
        providerAccountId: '',
        variables: {},
        attributes: {},
        check: 'NONE',
        replace: false,
        ...over,
      }),
  }
}

type World = Awaited<ReturnType<typeof importer>>

async function expectNothingStored({ store }: { readonly store: Store }): Promise<void> {
  expect(await store.listConnections({ limit: 10 })).toEqual([])
}

describe('importConnection() refuses', () => {
  it.each<[string, Partial<ImportRequest>, string]>([
    ['a variable that the definition does not declare', { variables: { shop: 'x' } }, 'variables'],
    ['an attribute that the definition does not know', { attributes: { realm: 'x' } }, 'attributes'],
    ['a migration token without the operation', { credential: migrating('old') }, 'migration_token'],
    ['an expired token without a refresh token', { refreshToken: undefined, expiresAt: 1 }, 'expire_time'],
    ['an expired refresh token', { refreshExpiresAt: 1 }, 'refresh_expire_time'],
    ['REFRESH without a refresh token', { refreshToken: undefined, check: 'REFRESH' }, 'check'],
    ['VERIFY without a verify operation', { check: 'VERIFY' }, 'check'],
  ])('%s', async (_, over, field) => {
    const world = await importer()
    await expect(world.take(over)).rejects.toMatchObject({
      reason: 'INVALID_REQUEST',
      details: { violations: [expect.objectContaining({ field })] },
    })
    await expectNothingStored(world)
    expect(world.server.http.sent).toEqual([])
  })

  it.each<[string, WorldOptions, RegExp]>([
    ['without a client id', { provider: { clientId: undefined } }, /no client_id .* renew/],
    ['of client credentials', { definition: { refresh: { mode: 'client_credentials' } } }, /needs no import/],
  ])('a provider %s', async (_, options, message) => {
    const { take } = await importer(options)
    await expect(take()).rejects.toMatchObject({
      reason: 'PROVIDER_MISCONFIGURED',
      message: expect.stringMatching(message),
    })
  })

  it('a provider that is not configured', async () => {
    const { take } = await importer()
    await expect(take({ provider: 'nobody' })).rejects.toMatchObject({ reason: 'PROVIDER_NOT_FOUND' })
  })

  it('another grant for a connection that exists, and keeps the old one', async () => {
    const { take, get } = await importer()
    await take()
    const other = { credential: bring('at-other'), refreshToken: new Secret('rt-other') }
    await expect(take(other)).rejects.toMatchObject({ reason: 'CONNECTION_EXISTS' })
    expect((await get()).accessToken.expose()).toBe('at-imported')
  })

  it('fewer scopes than configured, where the configuration refuses such consents', async () => {
    const world = await importer({ provider: { missingScopes: 'refuse' } })
    await expect(world.take({ scopes: ['a'] })).rejects.toMatchObject({
      reason: 'SCOPE_NOT_GRANTED',
      details: { metadata: { missing_scopes: 'b' } },
    })
    await expectNothingStored(world)
  })
})

describe('importConnection()', () => {
  it('serves the token, asks nobody, and renews with the refresh token', async () => {
    const { take, get, clock, server } = await importer()
    expect(await take()).toMatchObject({
      outcome: 'IMPORTED',
      note: '',
      status: { state: 'ACTIVE', healthy: true, grantedScopes: ['a', 'b'], missingScopes: [] },
    })
    expect(server.http.sent).toEqual([])
    expect(await get()).toMatchObject({ expiry: 'STATED', expiresAt: clock.now() + HOUR_MS })
    await clock.advance(HOUR_MS)
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it('takes an access token that expired, if there is a refresh token', async () => {
    const { take, get, clock } = await importer()
    expect((await take({ expiresAt: clock.now() - DAY_MS })).outcome).toBe('IMPORTED')
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it('does not take what is left of a token for the lifetime of the provider’s', async () => {
    const { take, get, clock } = await importer()
    await take({ expiresAt: clock.now() + 60_000 })
    expect((await get({ minTtlMs: HOUR_MS / 2 })).accessToken.expose()).toBe('at-1')
  })

  it('survives a restart, sealed', async () => {
    const { take, boot, store, name } = await importer()
    await take()
    const row = await store.findConnection(name.provider, name.account)
    expect(Buffer.from(row?.sealedAccessToken ?? []).toString()).not.toBe('at-imported')
    const caller = { name: 'tester', authentication: 'static_token' }
    const again = await boot().getAccessToken({ ...name, caller, requiredScopes: [] })
    expect(again.accessToken.expose()).toBe('at-imported')
  })

  it('does not count the lifetimes of the definition from a time that nobody knows', async () => {
    const { take, clock } = await importer({
      definition: { refresh: { refresh_lifetime: { of: '60d', kind: 'absolute' } } },
    })
    const { status } = await take()
    expect(status.refreshExpiresAt).toBeUndefined()
    expect(status.grantExpiresAt).toBeUndefined()
    const refreshExpiresAt = clock.now() + DAY_MS
    const account = 'stated'
    expect((await take({ account, refreshExpiresAt })).status.grantExpiresAt).toBe(refreshExpiresAt)
  })

  it('refreshes at once what expires nobody knows when', async () => {
    const { take, clock } = await importer()
    const { status } = await take({ expiresAt: undefined })
    expect(status.nextRefreshAt).toBe(clock.now())
    const token = { account: 'no-refresh-token', expiresAt: undefined, refreshToken: undefined }
    expect((await take(token)).status.nextRefreshAt).toBeUndefined()
  })

  it.each<[string, Partial<ImportRequest>]>([
    ['refresh token, whatever the access token', { credential: bring('at-older'), check: 'REFRESH' }],
    ['access token without one', { refreshToken: undefined }],
    ['access token, which has expired', { refreshToken: undefined, expiresAt: 1 }],
  ])('of the same %s is there already and changes nothing', async (_, over) => {
    const { take, store, name } = await importer()
    await take()
    const before = await store.findConnection(name.provider, name.account)
    expect((await take({ ...over, replace: true })).outcome).toBe('ALREADY_THERE')
    expect(await store.findConnection(name.provider, name.account)).toEqual(before)
  })

  it('has that refreshed by the renewer, which no lifetime tells to', async () => {
    const { take, broker, clock, server, status } = await importer()
    await take({ expiresAt: undefined })
    const sent = server.http.sent.length
    await broker.start()
    await clock.advance(2_000)
    expect(server.http.sent.length).toBe(sent + 1)
    expect(await status()).toMatchObject({ healthy: true, lastRefreshAt: expect.any(Number) })
    await broker.stop()
  })

  it('of the same tokens for a moved client seals them for it, with leave', async () => {
    const { take, boot, name, clock } = await importer()
    await take()
    const moved = boot({ clientId: 'other' })
    const request: ImportRequest = {
      ...name,
      credential: bring('at-imported'),
      refreshToken: new Secret('rt-0'),
      expiresAt: clock.now() + HOUR_MS,
      scopes: [],
      providerAccountId: '',
      variables: {},
      attributes: {},
      check: 'NONE',
      replace: false,
    }
    await expect(moved.importConnection(request)).rejects.toMatchObject({ reason: 'CONNECTION_EXISTS' })
    const { outcome, status } = await moved.importConnection({ ...request, replace: true })
    expect({ outcome, state: status.state }).toEqual({ outcome: 'IMPORTED', state: 'ACTIVE' })
  })

  it('replaces with leave', async () => {
    const { take, get } = await importer()
    await take()
    const other = { credential: bring('at-other'), refreshToken: new Secret('rt-other'), replace: true }
    expect((await take(other)).outcome).toBe('IMPORTED')
    expect((await get()).accessToken.expose()).toBe('at-other')
  })

  it('says what becomes of a token that nothing renews', async () => {
    const { take } = await importer()
    const { note } = await take({ refreshToken: undefined })
    expect(note).toContain('is not renewed')
    expect(note).not.toContain('migration')
  })

  it('of a renew-era Square token explains the way', async () => {
    const { take } = await importer({ definition: { id: 'square', ...squareLike } })
    const { note } = await take({ refreshToken: undefined })
    expect(note).toContain('RenewToken on 2024-04-17')
    expect(note).toContain('--migration-token')
  })
})

describe('importConnection() with VERIFY', () => {
  it('stores nothing that the provider refuses', async () => {
    const world = await importer({ definition: verifiable })
    world.server.script.push({ status: 401, body: { error: 'invalid_token' } })
    await expect(world.take({ check: 'VERIFY' })).rejects.toMatchObject({
      reason: 'REAUTH_REQUIRED',
      message: expect.stringContaining('nothing was stored'),
    })
    await expectNothingStored(world)
  })

  it.each([
    ['is down', answers.down],
    ['does not answer', answers.lost],
  ])('stores nothing while the provider %s', async (_, answer) => {
    const world = await importer({ definition: verifiable })
    world.server.script.push(answer)
    await expect(world.take({ check: 'VERIFY' })).rejects.toMatchObject({ reason: 'PROVIDER_UNAVAILABLE' })
    await expectNothingStored(world)
  })

  it('refuses without the scope that the question needs, and does not ask', async () => {
    const { verify } = verifiable.operations
    const definition = { operations: { verify: { ...verify, needs_scope: 'profile' } } }
    const { take, server } = await importer({ definition })
    await expect(take({ check: 'VERIFY' })).rejects.toThrow('only to the scope profile')
    expect(server.http.sent).toEqual([])
  })

  it('refuses a token of another account', async () => {
    const world = await importer({ definition: verifiable })
    world.server.script.push(told)
    await expect(world.take({ check: 'VERIFY', providerAccountId: 'account-8' })).rejects.toThrow(
      'belongs to account-7',
    )
    await expectNothingStored(world)
  })

  it('learns what the request leaves open', async () => {
    const { take, server, clock } = await importer({ definition: verifiable })
    server.script.push(told)
    const { status } = await take({ check: 'VERIFY', scopes: [], expiresAt: undefined })
    expect(status).toMatchObject({
      providerAccountId: 'account-7',
      grantedScopes: ['a'],
      missingScopes: ['b'],
      expiresAt: clock.now() + 600_000,
    })
    expect(server.http.sent[0]?.headers.authorization).toBe('Bearer at-imported')
  })
})

describe('importConnection() with REFRESH', () => {
  const takeWith = (world: World) => world.take({ check: 'REFRESH' })

  it('stores, then refreshes once', async () => {
    const world = await importer()
    expect(await takeWith(world)).toMatchObject({
      outcome: 'IMPORTED',
      status: { healthy: true, providerAccountId: 'account-1' },
    })
    expect(world.server.http.sent).toHaveLength(1)
    expect((await world.get()).accessToken.expose()).toBe('at-1')
  })

  it.each([
    ['refuses', answers.refused],
    ['is down', answers.down],
  ])('keeps the grant where the provider %s, and says so', async (_, answer) => {
    const world = await importer()
    world.server.script.push(answer)
    const { outcome, status, note } = await takeWith(world)
    expect({ outcome, healthy: status.healthy }).toEqual({ outcome: 'REFRESH_FAILED', healthy: false })
    expect(note).toContain('the grant is stored, but acme')
    expect((await world.get()).accessToken.expose()).toBe('at-imported')
  })
})

describe('importConnection() of a migration token', () => {
  const old = { credential: migrating('old-token'), refreshToken: undefined, expiresAt: undefined }

  it('sends what the definition says and stores the grant that is answered', async () => {
    const { take, get, server } = await importer({ definition: squareLike })
    expect(await take(old)).toMatchObject({
      outcome: 'IMPORTED',
      note: '',
      status: { providerAccountId: 'account-1' },
    })
    expect(JSON.parse(server.http.sent[0]?.body ?? '')).toEqual({
      client_id: 'client',
      client_secret: 'canary-client-secret',
      grant_type: 'migration_token',
      migration_token: 'old-token',
    })
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it.each([
    ['REAUTH_REQUIRED', answers.refused],
    ['PROVIDER_MISCONFIGURED', answers.wrongClient],
    ['CONNECTION_MISCONFIGURED', answers.wrongScope],
    ['PROVIDER_UNAVAILABLE', answers.lost],
  ])('stores nothing: %s', async (reason, answer) => {
    const world = await importer({ definition: squareLike })
    world.server.script.push(answer)
    await expect(world.take(old)).rejects.toMatchObject({ reason })
    await expectNothingStored(world)
  })

  it('does not ask the provider where the connection exists', async () => {
    const { take, server } = await importer({ definition: squareLike })
    await take(old)
    await expect(take(old)).rejects.toMatchObject({ reason: 'CONNECTION_EXISTS' })
    expect(server.http.sent).toHaveLength(1)
  })

  it('does not ask again who refuses our client', async () => {
    const { take, server } = await importer({ definition: squareLike })
    server.script.push(answers.wrongClient)
    await expect(take(old)).rejects.toThrow('refuses our client')
    await expect(take(old)).rejects.toThrow('refuses our client')
    expect(server.http.sent).toHaveLength(1)
  })
})
