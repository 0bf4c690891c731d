import { afterAll, beforeAll, expect, it } from 'vitest'
import { walkConsent } from '../../src/cli/demo-browser.ts'
import { AdminServiceService } from '../../src/gen/tokenbroker/v1/admin.ts'
import { TokenBrokerServiceService } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import type { ForeignAnswer, ForeignClient, Target } from './foreign-client.ts'
import { createInteropWorld, type InteropWorld } from './interop-world.ts'

const METHODS = [TokenBrokerServiceService, AdminServiceService]
  .flatMap(service => Object.values(service))
  .map(({ path }) => path.replace('/tokenbroker.v1.', ''))

/** What an answer holds, as far as the tests look. */
// biome-ignore lint/suspicious/noExplicitAny: protobuf's JSON; each test says what it expects
type Json = any

/** Every RPC as a client in another language sees it; the same for all of them. */
export function itServes(createClient: (target: Target) => ForeignClient | Promise<ForeignClient>): void {
  const called = new Set<string>()
  let world: InteropWorld
  let client: ForeignClient

  beforeAll(async () => {
    world = await createInteropWorld()
    client = await createClient(world)
  })
  afterAll(async () => {
    await client?.close?.()
    await world?.stop()
  })

  const call = (method: string, request: object, token: string | null = world.operatorToken) => {
    called.add(method)
    return client.call(method, request, token)
  }
  const ask = async (method: string, request: object): Promise<Json> =>
    responseOf(await call(method, request))

  /** Consents for one account and answers what became of it. */
  async function connect(provider: string, account: string): Promise<Json> {
    const link = await ask('AdminService/CreateConsentLink', { provider, account, allowAccountChange: true })
    await walkConsent(link.url)
    const { consent } = await ask('AdminService/GetConsent', { consentId: link.consentId })
    return consent
  }

  it.each([
    ['no token', null],
    ['a token of nobody', 'x'.repeat(43)],
  ])('refuses a call with %s', async (_, token) => {
    const answer = await call('TokenBrokerService/GetStatus', { provider: 'acme' }, token)
    expect(answer).toEqual({ code: 'UNAUTHENTICATED', reason: 'CALLER_UNAUTHENTICATED' })
  })

  it.each([
    ['nothing is connected', { provider: 'acme' }, 'FAILED_PRECONDITION', 'CONSENT_REQUIRED'],
    ['no such provider exists', { provider: 'nobody' }, 'NOT_FOUND', 'PROVIDER_NOT_FOUND'],
    ['min_ttl is too long', { provider: 'acme', minTtl: '86401s' }, 'INVALID_ARGUMENT', 'INVALID_REQUEST'],
  ])('gives the reason when %s', async (_, request, code, reason) => {
    expect(await call('TokenBrokerService/GetAccessToken', request)).toEqual({ code, reason })
  })

  it('CreateConsentLink and GetConsent connect an account', async () => {
    const before = await ask('TokenBrokerService/GetStatus', { provider: 'acme', account: 'größe ☕' })
    expect(before.status).toMatchObject({ account: 'größe ☕', state: 'CONNECTION_STATE_NOT_CONNECTED' })
    expect(await connect('acme', 'größe ☕')).toMatchObject({
      provider: 'acme',
      account: 'größe ☕',
      state: 'CONSENT_STATE_COMPLETED',
      status: { connected: true },
    })
  })

  it('GetAccessToken answers a token that the provider takes', async () => {
    await connect('acme', '')
    const request = { provider: 'acme', minTtl: '30.5s', requiredScopes: ['read', 'write'] }
    const { token } = await ask('TokenBrokerService/GetAccessToken', request)
    expect(token).toMatchObject({
      expiry: 'EXPIRY_STATED',
      source: 'SOURCE_OAUTH',
      scopes: ['read', 'write'],
    })
    expect(Date.parse(token.expireTime)).toBeGreaterThan(Date.now() + 30_500)
    const { headerName, valuePrefix } = token.presentation
    const api = await fetch(`${world.sandboxOrigin}/oauth2/api/me`, {
      headers: { [headerName]: `${valuePrefix}${token.accessToken}` },
    })
    expect(api.status).toBe(200)
  })

  it('Refresh makes the provider issue another token', async () => {
    await connect('acme', 'refreshed')
    const name = { provider: 'acme', account: 'refreshed' }
    const { token } = await ask('TokenBrokerService/GetAccessToken', name)
    const { refreshed, status } = await ask('TokenBrokerService/Refresh', name)
    expect({ refreshed, healthy: status.healthy }).toEqual({ refreshed: true, healthy: true })
    expect(status.version).not.toBe(token.version)
  })

  it('GetStatus asks the provider when it should verify', async () => {
    await connect('acme', 'verified')
    const request = { provider: 'acme', account: 'verified', verify: true }
    const { status } = await ask('TokenBrokerService/GetStatus', request)
    expect(status.verification).toMatchObject({ result: 'RESULT_VERIFIED', verifyTime: expect.any(String) })
  })

  it('Disconnect ends a connection', async () => {
    await connect('acme', 'leaver')
    const name = { provider: 'acme', account: 'leaver' }
    const answer = await ask('TokenBrokerService/Disconnect', { ...name, shared: 'SHARED_REVOKE' })
    expect(answer).toMatchObject({ revocation: 'REVOCATION_REVOKED' })
    const after = await call('TokenBrokerService/GetAccessToken', name)
    expect(after).toEqual({ code: 'FAILED_PRECONDITION', reason: 'CONSENT_REQUIRED' })
  })

  it('ImportConnection takes a grant over once, and knows it again', async () => {
    await connect('acme', 'exported')
    const name = { provider: 'acme', account: 'imported' }
    const { token } = await ask('TokenBrokerService/GetAccessToken', { ...name, account: 'exported' })
    const grant = { ...name, accessToken: token.accessToken, check: 'IMPORT_CHECK_VERIFY' }
    const answer = await ask('AdminService/ImportConnection', { ...grant, expireTime: token.expireTime })
    expect(answer).toMatchObject({ outcome: 'IMPORT_OUTCOME_IMPORTED', status: { connected: true } })
    const again = await ask('AdminService/ImportConnection', grant)
    expect(again.outcome).toBe('IMPORT_OUTCOME_ALREADY_THERE')
    const other = await call('AdminService/ImportConnection', { ...name, accessToken: 'another' })
    expect(other).toEqual({ code: 'ALREADY_EXISTS', reason: 'CONNECTION_EXISTS' })
  })

  it('WatchAccessTokens says at once what there is and what there is not', async () => {
    await connect('acme', 'watched')
    const watched = { provider: 'acme', account: 'watched' }
    const answer = await ask('TokenBrokerService/WatchAccessTokens', { connections: [watched] })
    expect(answer).toMatchObject({ connection: watched, token: { source: 'SOURCE_OAUTH' } })
    const nobody = { provider: 'acme', account: 'nobody' }
    const nothing = await ask('TokenBrokerService/WatchAccessTokens', { connections: [nobody] })
    expect(nothing).toMatchObject({ connection: nobody, error: { code: 9, reason: 'CONSENT_REQUIRED' } })
  })

  it('WatchConnections begins with the connections that there are', async () => {
    await connect('acme', 'seen')
    const { status } = await ask('AdminService/WatchConnections', { provider: 'acme' })
    expect(status).toMatchObject({ provider: 'acme', state: 'CONNECTION_STATE_ACTIVE' })
  })

  it('CompleteConsent finishes nothing that nobody began', async () => {
    const request = { consentId: 'nobody', receipt: 'no-receipt', subject: 'user-7' }
    const answer = await call('AdminService/CompleteConsent', request)
    expect(answer).toEqual({ code: 'NOT_FOUND', reason: 'CONSENT_NOT_FOUND' })
  })

  it('ListConnections goes through the pages', async () => {
    for (const account of ['page-1', 'page-2', 'page-3']) await connect('acme', account)
    const accounts: string[] = []
    let pageToken = ''
    do {
      const request = { provider: 'acme', state: 'CONNECTION_STATE_ACTIVE', pageSize: 2, pageToken }
      const page = await ask('AdminService/ListConnections', request)
      expect(page.connections.length).toBeLessThanOrEqual(2)
      accounts.push(...page.connections.map(({ account = '' }: Json) => account))
      pageToken = page.nextPageToken ?? ''
    } while (pageToken !== '')
    expect(accounts).toEqual([...new Set(accounts)])
    expect(accounts).toEqual(expect.arrayContaining(['page-1', 'page-2', 'page-3']))
  })

  it('ListProviders counts the connections', async () => {
    await connect('acme', 'counted')
    const { providers } = await ask('AdminService/ListProviders', {})
    expect(providers.map(({ provider }: Json) => provider)).toEqual([
      'acme',
      'pinterest',
      'square',
      'tiktok-business',
      'tiktok-login',
    ])
    expect(Number(providers[0].connectionCount)).toBeGreaterThan(0)
  })

  it('ListAuditRecords says who was given a token, and FindReleases finds them by the token', async () => {
    await connect('acme', 'audited')
    const name = { provider: 'acme', account: 'audited' }
    const { token } = await ask('TokenBrokerService/GetAccessToken', name)
    const filter = { ...name, event: 'TOKEN_RELEASED', pageSize: 10 }
    const { records } = await ask('AdminService/ListAuditRecords', filter)
    expect(records).toMatchObject([
      { ...name, event: 'TOKEN_RELEASED', outcome: 'SUCCEEDED', version: token.version },
    ])
    const { releases } = await ask('AdminService/FindReleases', { accessToken: token.accessToken })
    expect(releases).toMatchObject([{ ...name, version: token.version }])
  })

  it('RotateKeys makes a key, GetKeys tells of it, RewrapKeys says what is missing', async () => {
    const { keyId } = await ask('AdminService/RotateKeys', {})
    const { keys } = await ask('AdminService/GetKeys', {})
    const sealing = keys.filter(({ purpose }: Json) => purpose === 'KEY_PURPOSE_SEAL')
    expect(sealing).toContainEqual(expect.objectContaining({ keyId, state: 'KEY_STATE_PRIMARY' }))
    const refused = await call('AdminService/RewrapKeys', {})
    expect(refused).toEqual({ code: 'FAILED_PRECONDITION', reason: 'NO_NEXT_ROOT_KEY' })
  })

  it('RebindConnections finds nothing that has moved, GetRestore nothing that was restored', async () => {
    await connect('acme', 'bound')
    const scope = { provider: 'acme', account: 'bound', dryRun: true }
    expect(await ask('AdminService/RebindConnections', scope)).toMatchObject({ unchangedCount: 1 })
    expect((await ask('AdminService/GetRestore', {})).restore ?? null).toBeNull()
  })

  // Comes last: whoever builds one of the RPCs that are left has to test it here.
  it('has tests for every RPC that is there', async () => {
    for (const method of METHODS.filter(name => !called.has(name))) {
      const answer = await call(method, {})
      expect(answer, method).toEqual({ code: 'UNIMPLEMENTED', reason: 'NOT_IMPLEMENTED' })
    }
  })
}

function responseOf(answer: ForeignAnswer): Json {
  if ('response' in answer) return answer.response
  throw new Error(`the call failed: ${answer.code} ${answer.reason}`)
}
