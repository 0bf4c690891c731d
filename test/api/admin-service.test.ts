import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Broker, ImportRequest } from '../../src/broker/broker.ts'
import type { Consent, ConsentLinkRequest } from '../../src/broker/consent/consent.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import {
  CircuitBreaker,
  ConsentState,
  type CreateConsentLinkRequest,
  ImportCheck,
  ImportConnectionRequest,
  ImportOutcome,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { ConnectionState } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { CONSENT, createFakeBroker, NOW } from './fake-broker.ts'
import { bearer, call, callerNamed, failureOf, type RunningServer, startServer } from './running-server.ts'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []) {
  running = await startServer({ broker, callers })
  return running.admin
}

describe('CreateConsentLink', () => {
  const REQUEST: CreateConsentLinkRequest = {
    provider: 'pinterest',
    account: 'acme',
    scopes: ['ads:read'],
    variables: { shop: 'x' },
    subject: 'user-7',
    returnId: 'portal',
    allowAccountChange: true,
  }

  it('refuses every malformed field at once', async () => {
    const client = await start()
    const malformed = {
      ...REQUEST,
      provider: '',
      account: '\u0000',
      scopes: [''],
      variables: { 'not a name': 'x' },
      subject: 'x'.repeat(257),
      returnId: 'https://evil.example',
    }
    const { violations } = await failureOf(call(client, client.createConsentLink, malformed))
    const fields = ['account', 'provider', 'return_id', 'scopes', 'subject', 'variables']
    expect(Object.keys(violations).sort()).toEqual(fields)
  })

  it('asks the broker and answers the link', async () => {
    const asked: ConsentLinkRequest[] = []
    const { createConsentLink } = createFakeBroker()
    const client = await start({
      createConsentLink: request => {
        asked.push(request)
        return createConsentLink(request)
      },
    })
    expect(await call(client, client.createConsentLink, REQUEST)).toEqual({
      url: 'http://localhost:8085/c/canary-link',
      consentId: 'consent-1',
      expireTime: new Date(NOW + 600_000),
    })
    expect(asked).toEqual([{ ...REQUEST, caller: expect.objectContaining({ name: 'operator' }) }])
  })

  it('of a plain connection needs nothing else', async () => {
    const client = await start()
    const plain = { ...REQUEST, account: '', scopes: [], variables: {}, subject: '', returnId: '' }
    await expect(call(client, client.createConsentLink, plain)).resolves.toMatchObject({
      consentId: 'consent-1',
    })
  })
})

describe('ImportConnection', () => {
  const REQUEST: ImportConnectionRequest = {
    provider: 'pinterest',
    account: 'acme',
    credential: { $case: 'accessToken', value: 'pina_canary' },
    refreshToken: 'pinr.canary',
    expireTime: new Date(NOW + 1),
    refreshExpireTime: new Date(NOW + 2),
    scopes: ['ads:read'],
    providerAccountId: '1234',
    variables: { shop: 'x' },
    attributes: { realm_id: '77' },
    check: ImportCheck.REFRESH,
    replace: true,
  }

  async function violationsOf(over: Partial<ImportConnectionRequest>) {
    const client = await start()
    const failure = await failureOf(call(client, client.importConnection, { ...REQUEST, ...over }))
    expect(JSON.stringify(failure)).not.toContain('canary')
    return Object.keys(failure.violations).sort()
  }

  it('refuses every malformed field at once, and quotes no token', async () => {
    const malformed = {
      provider: '',
      account: '\u0000',
      credential: { $case: 'accessToken', value: 'canary two' } as const,
      refreshToken: 'canary\n',
      scopes: [''],
      providerAccountId: 'x'.repeat(257),
      variables: { 'not a name': 'x' },
      attributes: { realm_id: 'x'.repeat(1_025) },
      check: 9 as ImportCheck,
    }
    expect(await violationsOf(malformed)).toEqual([
      'access_token',
      'account',
      'attributes',
      'check',
      'provider',
      'provider_account_id',
      'refresh_token',
      'scopes',
      'variables',
    ])
  })

  it.each<[string, Partial<ImportConnectionRequest>, string[]]>([
    ['no credential', { credential: undefined }, ['access_token']],
    ['an empty token', { credential: { $case: 'accessToken', value: '' } }, ['access_token']],
    ['a token too long', { refreshToken: 'x'.repeat(16_385) }, ['refresh_token']],
    ['an end of no refresh token', { refreshToken: '' }, ['refresh_expire_time']],
    [
      'what a migration brings',
      { credential: { $case: 'migrationToken', value: 'canary' } },
      ['expire_time', 'refresh_expire_time', 'refresh_token'],
    ],
  ])('refuses %s', async (_, over, fields) => {
    expect(await violationsOf(over)).toEqual(fields)
  })

  it('asks the broker and answers what it did', async () => {
    const asked: ImportRequest[] = []
    const { importConnection } = createFakeBroker()
    const client = await start({
      importConnection: request => {
        asked.push(request)
        return importConnection(request)
      },
    })
    expect(await call(client, client.importConnection, REQUEST)).toMatchObject({
      outcome: ImportOutcome.IMPORTED,
      note: 'a note',
      status: { state: ConnectionState.ACTIVE },
    })
    const [request] = asked
    expect(request).toMatchObject({
      provider: 'pinterest',
      account: 'acme',
      credential: { kind: 'access_token' },
      expiresAt: NOW + 1,
      refreshExpiresAt: NOW + 2,
      scopes: ['ads:read'],
      providerAccountId: '1234',
      variables: { shop: 'x' },
      attributes: { realm_id: '77' },
      check: 'REFRESH',
      replace: true,
    })
    const tokens = [request?.credential.token.expose(), request?.refreshToken?.expose()]
    expect(tokens).toEqual(['pina_canary', 'pinr.canary'])
  })

  it('of a migration token says so to the broker', async () => {
    const asked: ImportRequest[] = []
    const client = await start({
      importConnection: request => {
        asked.push(request)
        return createFakeBroker().importConnection(request)
      },
    })
    const credential = { $case: 'migrationToken', value: 'old' } as const
    const plain = ImportConnectionRequest.fromPartial({ provider: 'pinterest', credential })
    await call(client, client.importConnection, plain)
    expect(asked[0]).toMatchObject({ credential: { kind: 'migration_token' }, check: 'NONE', replace: false })
    expect(asked[0]?.refreshToken).toBeUndefined()
  })
})

describe('GetConsent', () => {
  it.each(['', 'no id', 'x'.repeat(65)])('refuses %j', async consentId => {
    const client = await start()
    expect(Object.keys((await failureOf(call(client, client.getConsent, { consentId }))).violations)).toEqual(
      ['consent_id'],
    )
  })

  it('says the same, byte by byte, of a consent that is absent and of one that the caller may not see', async () => {
    const elsewhere = { providers: ['pinterest'], accounts: ['other'], methods: ['GetConsent'] }
    const client = await start({}, [callerNamed('other', elsewhere)])
    const ask = (consentId: string) =>
      failureOf(call(client, client.getConsent, { consentId }, bearer('other')))
    const hidden = await ask(CONSENT.consentId)
    expect(hidden).toMatchObject({ code: status.NOT_FOUND, reason: 'CONSENT_NOT_FOUND' })
    expect(await ask('consent-2')).toEqual(hidden)
  })

  it('passes other errors of the broker on', async () => {
    const client = await start({
      getConsent: () => Promise.reject(new BrokerError('BROKER_UNAVAILABLE', 'the store is away; try again')),
    })
    expect(await failureOf(call(client, client.getConsent, { consentId: 'c' }))).toMatchObject({
      code: status.UNAVAILABLE,
      message: 'the store is away; try again',
    })
  })

  it('answers a completed consent with its status', async () => {
    const client = await start()
    const { consent } = await call(client, client.getConsent, { consentId: CONSENT.consentId })
    expect(consent).toMatchObject({
      consentId: 'consent-1',
      provider: 'pinterest',
      account: 'acme',
      state: ConsentState.COMPLETED,
      error: undefined,
      status: { state: ConnectionState.ACTIVE },
      createTime: new Date(NOW - 60_000),
      expireTime: new Date(NOW + 540_000),
    })
  })

  it('answers a failed consent with its error', async () => {
    const error = { reason: 'ACCOUNT_CHANGED', message: 'somebody else consented', providerCode: '' } as const
    const failed: Consent = { ...CONSENT, state: 'FAILED', status: undefined, error }
    const client = await start({ getConsent: async () => failed })
    const { consent } = await call(client, client.getConsent, { consentId: 'c' })
    expect(consent).toMatchObject({ state: ConsentState.FAILED, error, status: undefined })
  })
})

describe('ListProviders', () => {
  it('answers all of what the operator configured', async () => {
    const client = await start()
    const { providers } = await call(client, client.listProviders, {})
    expect(providers.map(({ provider }) => provider)).toEqual(['pinterest', 'square-eu'])
    expect(providers[0]).toEqual({
      provider: 'pinterest',
      definition: 'pinterest',
      environment: 'production',
      scopes: ['ads:read'],
      redirectUri: 'http://localhost:8085/pinterest/oauth/callback',
      hasStaticToken: true,
      connectionCount: 3,
      reauthRequiredCount: 1,
      health: {
        inFlight: 1,
        consecutiveFailures: 2,
        lastSuccessTime: new Date(NOW - 1),
        lastFailureTime: new Date(NOW),
        misconfiguredSince: undefined,
        blockedUntil: undefined,
        waiting: 4,
        breaker: CircuitBreaker.OPEN,
        openSince: new Date(NOW - 2),
        retryBudget: 17,
        holdingVerdictsSince: new Date(NOW - 3),
      },
    })
  })

  it('shows a caller the providers of its rules', async () => {
    const rule = { providers: ['square*'], accounts: ['acme'], methods: ['ListProviders'] }
    const elsewhere = { providers: ['*'], accounts: ['*'], methods: ['GetStatus'] }
    const client = await start({}, [callerNamed('square-service', rule, elsewhere)])
    const { providers } = await call(client, client.listProviders, {}, bearer('square-service'))
    expect(providers.map(({ provider }) => provider)).toEqual(['square-eu'])
  })
})
