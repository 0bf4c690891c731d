import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Broker } from '../../src/broker/broker.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import {
  ConnectionState,
  Expiry,
  type GetAccessTokenRequest,
  Revocation,
  Shared,
  Source,
  Verification_Result,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createFakeBroker, NOW, notConnected, STATUS, TOKEN } from './fake-broker.ts'
import { bearer, call, callerNamed, failureOf, type RunningServer, startServer } from './running-server.ts'

const REQUEST: GetAccessTokenRequest = {
  provider: 'pinterest',
  account: 'acme',
  minTtl: undefined,
  rejectedVersion: '',
  requiredScopes: [],
}

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []) {
  running = await startServer({ broker, callers })
  return running.tokens
}

/** Starts with a broker that keeps what it is asked. */
async function startRecording<Name extends 'getAccessToken' | 'getStatus' | 'refresh' | 'disconnect'>(
  name: Name,
) {
  const asked: Parameters<Broker[Name]>[0][] = []
  const fake = createFakeBroker()[name] as (request: unknown) => unknown
  const record = (request: never) => {
    asked.push(request)
    return fake(request)
  }
  return { client: await start({ [name]: record }), asked }
}

describe('GetAccessToken', () => {
  it('refuses every malformed field at once, by its name in the .proto file', async () => {
    const client = await start()
    const malformed: GetAccessTokenRequest = {
      provider: 'Pinterest',
      account: 'a\n',
      minTtl: { seconds: -1, nanos: 0 },
      rejectedVersion: 'a b',
      requiredScopes: ['a b'],
    }
    const failure = await failureOf(call(client, client.getAccessToken, malformed))
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, reason: 'INVALID_REQUEST' })
    const fields = ['account', 'min_ttl', 'provider', 'rejected_version', 'required_scopes']
    expect(Object.keys(failure.violations).sort()).toEqual(fields)
  })

  it('tells one who may know that there is no such provider', async () => {
    const client = await start()
    const failure = await failureOf(call(client, client.getAccessToken, { ...REQUEST, provider: 'nope' }))
    expect(failure).toMatchObject({ code: status.NOT_FOUND, reason: 'PROVIDER_NOT_FOUND' })
  })

  it('asks the broker for exactly what was asked', async () => {
    const { client, asked } = await startRecording('getAccessToken')
    const full = {
      ...REQUEST,
      minTtl: { seconds: 5, nanos: 1 },
      rejectedVersion: 'v1',
      requiredScopes: ['ads:read'],
    }
    await call(client, client.getAccessToken, full)
    expect(asked).toEqual([
      {
        provider: 'pinterest',
        account: 'acme',
        minTtlMs: 5_001,
        rejectedVersion: 'v1',
        requiredScopes: ['ads:read'],
        caller: expect.objectContaining({ name: 'operator', authentication: 'operator_token' }),
        authorize: expect.any(Function),
        signal: expect.any(AbortSignal),
      },
    ])
  })

  it('tells unset from zero', async () => {
    const { client, asked } = await startRecording('getAccessToken')
    await call(client, client.getAccessToken, REQUEST)
    await call(client, client.getAccessToken, { ...REQUEST, minTtl: { seconds: 0, nanos: 0 } })
    expect(asked.map(({ minTtlMs }) => minTtlMs)).toEqual([undefined, 0])
    expect(asked[0]?.rejectedVersion).toBeUndefined()
  })

  it('answers the whole token', async () => {
    const client = await start()
    expect((await call(client, client.getAccessToken, REQUEST)).token).toEqual({
      ...TOKEN,
      accessToken: 'ya29.canary-access-token',
      expiresAt: undefined,
      expireTime: new Date(NOW + 3_600_000),
      expiry: Expiry.STATED,
      source: Source.OAUTH,
      rotatesNotBefore: new Date(NOW + 60_000),
      degraded: { reason: 'PROVIDER_UNAVAILABLE', since: new Date(NOW - 1_500) },
    })
  })

  it('answers a static token without what it does not have', async () => {
    const unstated = { expiresAt: undefined, rotatesNotBefore: undefined, degraded: undefined }
    const client = await start({
      getAccessToken: async () => ({ ...TOKEN, ...unstated, expiry: 'UNKNOWN', source: 'STATIC' }),
    })
    expect((await call(client, client.getAccessToken, REQUEST)).token).toMatchObject({
      expireTime: undefined,
      expiry: Expiry.UNKNOWN,
      source: Source.STATIC,
      rotatesNotBefore: undefined,
      degraded: undefined,
    })
  })
})

describe('GetStatus', () => {
  it('refuses a malformed name', async () => {
    const client = await start()
    const outcome = call(client, client.getStatus, { provider: '', account: 'e\u0301', verify: false })
    expect(Object.keys((await failureOf(outcome)).violations)).toEqual(['provider', 'account'])
  })

  it.each([true, false])('with verify %s', async verify => {
    const { client, asked } = await startRecording('getStatus')
    await call(client, client.getStatus, { provider: 'pinterest', account: 'acme', verify })
    expect(asked).toEqual([
      {
        provider: 'pinterest',
        account: 'acme',
        verify,
        caller: expect.objectContaining({ name: 'operator' }),
      },
    ])
  })

  it('answers the whole status', async () => {
    const client = await start()
    const asked = { provider: 'pinterest', account: 'acme', verify: true }
    const { expiresAt, refreshExpiresAt, grantExpiresAt, lastRefreshAt, nextRefreshAt, lastUsedAt, ...same } =
      STATUS
    expect((await call(client, client.getStatus, asked)).status).toEqual({
      ...same,
      state: ConnectionState.ACTIVE,
      source: Source.OAUTH,
      outcomeUnknownSince: new Date(NOW - 1),
      connectTime: new Date(NOW - 2),
      expireTime: new Date(NOW + 3),
      refreshExpireTime: new Date(NOW + 4),
      grantExpireTime: new Date(NOW + 5),
      lastRefreshTime: new Date(NOW - 6),
      nextRefreshTime: new Date(NOW + 7),
      lastUsedTime: new Date(NOW - 8),
      lastError: {
        class: 'retry',
        reason: 'PROVIDER_UNAVAILABLE',
        providerCode: 'temporarily_unavailable',
        message: 'the provider answered 503',
        time: new Date(NOW - 9),
      },
      verification: { result: Verification_Result.VERIFIED, verifyTime: new Date(NOW) },
    })
  })

  it('of nothing answers NOT_CONNECTED', async () => {
    const client = await start()
    const asked = { provider: 'pinterest', account: 'nobody', verify: false }
    expect((await call(client, client.getStatus, asked)).status).toMatchObject({
      state: ConnectionState.NOT_CONNECTED,
      connected: false,
      source: Source.UNSPECIFIED,
      expireTime: undefined,
      lastError: undefined,
      diagnosis: notConnected('', '').diagnosis,
    })
  })
})

describe('Refresh', () => {
  it('refuses a malformed name', async () => {
    const client = await start()
    const outcome = call(client, client.refresh, { provider: 'p', account: 'a'.repeat(257) })
    expect(Object.keys((await failureOf(outcome)).violations)).toEqual(['account'])
  })

  it.each([true, false])('answers refreshed %s and no secret', async refreshed => {
    const client = await start({ refresh: async () => ({ status: STATUS, refreshed }) })
    const answer = await call(client, client.refresh, { provider: 'pinterest', account: 'acme' })
    expect(answer).toMatchObject({ refreshed, status: { provider: 'pinterest' } })
    expect(JSON.stringify(answer)).not.toContain('canary')
  })
})

describe('Disconnect', () => {
  const NAME = { provider: 'pinterest', account: 'acme' }

  it('refuses a malformed request', async () => {
    const client = await start()
    const outcome = call(client, client.disconnect, { provider: 'P', account: '', shared: 7 as Shared })
    expect(Object.keys((await failureOf(outcome)).violations)).toEqual(['provider', 'shared'])
  })

  it.each([
    [Shared.UNSPECIFIED, 'KEEP'],
    [Shared.KEEP, 'KEEP'],
    [Shared.REVOKE, 'REVOKE'],
  ])('with shared %i asks the broker to %s', async (shared, expected) => {
    const { client, asked } = await startRecording('disconnect')
    await call(client, client.disconnect, { ...NAME, shared })
    expect(asked).toMatchObject([{ ...NAME, shared: expected }])
  })

  it('answers what was done', async () => {
    const client = await start()
    expect(await call(client, client.disconnect, { ...NAME, shared: Shared.KEEP })).toEqual({
      revocation: Revocation.SKIPPED_SHARED,
      sharedConnections: [
        { provider: 'pinterest', account: 'zeta' },
        { provider: 'pinterest', account: 'acme-2' },
      ],
      staticTokenRemains: true,
    })
  })

  it('names only those shared connections that the caller may know', async () => {
    const rule = { providers: ['pinterest'], accounts: ['acme*'], methods: ['Disconnect'] }
    const client = await start({}, [callerNamed('acme-service', rule)])
    const answer = await call(
      client,
      client.disconnect,
      { ...NAME, shared: Shared.KEEP },
      bearer('acme-service'),
    )
    expect(answer.sharedConnections).toEqual([{ provider: 'pinterest', account: 'acme-2' }])
  })
})
