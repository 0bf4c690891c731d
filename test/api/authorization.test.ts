import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mayKnowProvider } from '../../src/api/authorization.ts'
import type { AllowRule } from '../../src/config/config.ts'
import { ADMIN_METHODS, METHODS, TOKEN_BROKER_METHODS } from '../../src/config/methods.ts'
import {
  type AdminServiceClient,
  AdminServiceService,
  CreateConsentLinkRequest,
  ImportConnectionRequest,
  ListAuditRecordsRequest,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  GetAccessTokenRequest,
  Shared,
  type TokenBrokerServiceClient,
  TokenBrokerServiceService,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import {
  bearer,
  call,
  callerNamed,
  decodeFailure,
  type Failure,
  failureOf,
  type RunningServer,
  startServer,
} from './running-server.ts'

interface Name {
  readonly provider: string
  readonly account: string
}
type Ask = (
  tokens: TokenBrokerServiceClient,
  admin: AdminServiceClient,
  name: Name,
  token: string,
) => Promise<unknown>

/** Each RPC, asked about one connection. */
const ASK: Record<string, Ask> = {
  GetAccessToken: (c, _, name, token) =>
    call(c, c.getAccessToken, GetAccessTokenRequest.fromPartial(name), bearer(token)),
  WatchAccessTokens: (c, _, name, token) =>
    firstOf(c.watchAccessTokens({ connections: [name] }, bearer(token))),
  GetStatus: (c, _, name, token) => call(c, c.getStatus, { ...name, verify: false }, bearer(token)),
  Refresh: (c, _, name, token) => call(c, c.refresh, name, bearer(token)),
  Disconnect: (c, _, name, token) => call(c, c.disconnect, { ...name, shared: 0 }, bearer(token)),
  CreateConsentLink: (_, c, name, token) =>
    call(c, c.createConsentLink, CreateConsentLinkRequest.fromPartial(name), bearer(token)),
  ImportConnection: (_, c, name, token) =>
    call(
      c,
      c.importConnection,
      ImportConnectionRequest.fromPartial({
        ...name,
        credential: { $case: 'accessToken', value: 'a-token' },
      }),
      bearer(token),
    ),
  GetConsent: (_, c, _name, token) => call(c, c.getConsent, { consentId: 'consent-1' }, bearer(token)),
  CompleteConsent: (_, c, _name, token) =>
    call(c, c.completeConsent, { consentId: 'consent-1', receipt: 'r', subject: 's' }, bearer(token)),
  ListConnections: (_, c, { provider }, token) =>
    call(c, c.listConnections, { provider, state: 0, pageSize: 0, pageToken: '' }, bearer(token)),
  ListProviders: (_, c, _name, token) => call(c, c.listProviders, {}, bearer(token)),
  ListAuditRecords: (_, c, { provider }, token) =>
    call(c, c.listAuditRecords, ListAuditRecordsRequest.fromPartial({ provider }), bearer(token)),
  FindReleases: (_, c, _name, token) => call(c, c.findReleases, { accessToken: 'a-token' }, bearer(token)),
  GetKeys: (_, c, _name, token) => call(c, c.getKeys, {}, bearer(token)),
  RotateKeys: (_, c, _name, token) => call(c, c.rotateKeys, {}, bearer(token)),
  RewrapKeys: (_, c, _name, token) => call(c, c.rewrapKeys, {}, bearer(token)),
  GetRestore: (_, c, _name, token) => call(c, c.getRestore, {}, bearer(token)),
  RebindConnections: (_, c, { provider, account }, token) =>
    call(
      c,
      c.rebindConnections,
      { provider, scope: { $case: 'account', value: account }, dryRun: true },
      bearer(token),
    ),
  WatchConnections: (_, c, { provider }, token) => firstOf(c.watchConnections({ provider }, bearer(token))),
}
const PER_CONNECTION = [
  'GetAccessToken',
  'WatchAccessTokens',
  'GetStatus',
  'Refresh',
  'Disconnect',
  'CreateConsentLink',
  'ImportConnection',
  'RebindConnections',
]
/** About everything that the broker holds. */
const EVERYWHERE = ['GetKeys', 'RotateKeys', 'RewrapKeys', 'GetRestore']
const ACME = { provider: 'pinterest', account: 'acme' }

function firstOf(stream: NodeJS.EventEmitter & { cancel(): void }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.once('data', message => {
      resolve(message)
      stream.cancel()
    })
  })
}

/** A caller named after the one method that it may call, for the connection `acme` if that is enough. */
function only(method: string) {
  if (EVERYWHERE.includes(method)) {
    return callerNamed(method, { providers: ['*'], accounts: ['*'], methods: [method] })
  }
  return callerNamed(method, { providers: ['pinterest'], accounts: ['acme'], methods: [method] })
}

let running: RunningServer
beforeAll(async () => {
  const anything: AllowRule = { providers: ['*'], accounts: ['*'], methods: ['*'] }
  const shared: AllowRule = { providers: ['pinterest'], accounts: ['acme*'], methods: ['Disconnect'] }
  const wholeProvider: AllowRule = { providers: ['pinterest'], accounts: ['*'], methods: ['Disconnect'] }
  running = await startServer({
    callers: [
      ...METHODS.map(only),
      callerNamed('nobody'),
      callerNamed('no-accounts', { ...anything, accounts: [] }),
      callerNamed('anything', anything),
      callerNamed('acme-service', shared),
      callerNamed('pinterest-service', wholeProvider),
      callerNamed('all-of-pinterest', { ...anything, providers: ['pinterest'] }),
      callerNamed('acme-everywhere', { ...anything, accounts: ['acme*'] }),
    ],
  })
})
afterAll(() => running.stop())

const ask = (method: string, name: Name, token: string) =>
  (ASK[method] as Ask)(running.tokens, running.admin, name, token)

/** The reason of a refusal; undefined of a success. */
async function reasonOf(outcome: Promise<unknown>): Promise<string | undefined> {
  return outcome.then(
    () => undefined,
    error => decodeFailure(error).reason,
  )
}

describe('the methods of the services', () => {
  it.each([
    ['TokenBrokerService', TokenBrokerServiceService, TOKEN_BROKER_METHODS],
    ['AdminService', AdminServiceService, ADMIN_METHODS],
  ])('of %s are those that a rule may name', (_, service, methods) => {
    const names = Object.values(service).map(({ path }: { path: string }) =>
      path.slice(path.lastIndexOf('/') + 1),
    )
    expect(names).toEqual([...methods])
    expect(names.filter(name => ASK[name] === undefined)).toEqual([])
  })
})

describe.each(Object.keys(ASK))('%s', method => {
  it('refuses who has no token, an unknown one, and who may call anything else', async () => {
    expect(await reasonOf(ask(method, ACME, ''))).toBe('CALLER_UNAUTHENTICATED')
    expect(await reasonOf(ask(method, ACME, 'unknown'))).toBe('CALLER_UNAUTHENTICATED')
    for (const caller of ['nobody', 'no-accounts', ...METHODS.filter(name => name !== method)])
      expect([caller, await reasonOf(ask(method, ACME, caller))]).toEqual([caller, 'ACCESS_DENIED'])
  })

  it('lets in who may call it', async () => {
    expect(await reasonOf(ask(method, ACME, method))).toBeUndefined()
    expect(await reasonOf(ask(method, ACME, 'anything'))).toBeUndefined()
  })
})

describe.each(PER_CONNECTION)('%s of a connection that the caller may not see', method => {
  const denied = (name: Name): Promise<Failure> => failureOf(ask(method, name, method))

  it('says the same, byte by byte, whether or not it or its provider exists, or the request is malformed', async () => {
    const forbidden = await denied({ provider: 'pinterest', account: 'zeta' })
    expect(forbidden).toMatchObject({ code: status.PERMISSION_DENIED, reason: 'ACCESS_DENIED' })
    expect(forbidden.bytes.length).toBeGreaterThan(0)
    for (const name of [
      { provider: 'pinterest', account: 'nobody' },
      { provider: 'square-eu', account: 'acme' },
      { provider: 'nope', account: 'acme' },
      { provider: 'NOT VALID', account: '\n' },
    ])
      expect(await denied(name)).toEqual(forbidden)
  })

  it('says who, what and what to do', async () => {
    const { message, metadata, help } = await denied({ provider: 'pinterest', account: 'zeta' })
    expect(message).toContain(method)
    expect(metadata).toEqual({ caller: method, method })
    expect(help?.[0]?.description).toContain('callers')
  })
})

describe('WatchAccessTokens', () => {
  it('needs the right for each of its connections', async () => {
    const connections = [ACME, { provider: 'pinterest', account: 'zeta' }]
    const stream = running.tokens.watchAccessTokens({ connections }, bearer('WatchAccessTokens'))
    expect(await reasonOf(firstOf(stream))).toBe('ACCESS_DENIED')
  })
})

describe('Disconnect that revokes what others share', () => {
  const disconnect = (shared: Shared, token: string) =>
    reasonOf(call(running.tokens, running.tokens.disconnect, { ...ACME, shared }, bearer(token)))

  it('needs the right for every account of the provider', async () => {
    expect(await disconnect(Shared.REVOKE, 'acme-service')).toBe('ACCESS_DENIED')
    expect(await disconnect(Shared.KEEP, 'acme-service')).toBeUndefined()
    expect(await disconnect(Shared.REVOKE, 'pinterest-service')).toBeUndefined()
  })
})

describe.each(EVERYWHERE)('%s', method => {
  it.each([['all-of-pinterest'], ['acme-everywhere']])('is not for %s', async caller => {
    expect(await reasonOf(ask(method, ACME, caller))).toBe('ACCESS_DENIED')
  })
})

describe('RebindConnections of all accounts', () => {
  const rebind = (token: string) =>
    reasonOf(
      call(
        running.admin,
        running.admin.rebindConnections,
        { provider: 'pinterest', scope: { $case: 'allAccounts', value: true }, dryRun: true },
        bearer(token),
      ),
    )

  it('needs the right for every account of the provider', async () => {
    expect(await rebind('RebindConnections')).toBe('ACCESS_DENIED')
    expect(await rebind('acme-everywhere')).toBe('ACCESS_DENIED')
    expect(await rebind('all-of-pinterest')).toBeUndefined()
  })
})

describe('mayKnowProvider()', () => {
  const rule: AllowRule = { providers: ['square*'], accounts: ['acme'], methods: ['ListProviders'] }

  it.each([
    ['its provider', [rule], 'ListProviders', 'square-eu', true],
    ['another provider', [rule], 'ListProviders', 'pinterest', false],
    ['another method', [rule], 'GetStatus', 'square-eu', false],
    ['no accounts', [{ ...rule, accounts: [] }], 'ListProviders', 'square-eu', false],
    ['no rules', [], 'ListProviders', 'square-eu', false],
  ])('with %s', (_, rules, method, provider, expected) => {
    expect(mayKnowProvider(rules, method, provider)).toBe(expected)
  })
})
