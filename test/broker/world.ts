import type { Audit, TokenRelease } from '../../src/audit/audit.ts'
import type { TokenRequest } from '../../src/broker/broker.ts'
import { createBroker } from '../../src/broker/create-broker.ts'
import type { Log, Random } from '../../src/broker/ports.ts'
import { createOAuthClient } from '../../src/oauth/client.ts'
import { createDefinitionSource } from '../../src/oauth/discovery.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'
import { inMemory, openSqliteStore } from '../../src/store/sqlite.ts'
import { createFakeClock } from './fake-clock.ts'
import { fakeKeyring } from './fake-keyring.ts'
import { createMemorySpool } from '../store/memory-spool.ts'
import { createScriptedServer } from './scripted-server.ts'

const definition = {
  authorize_url: 'https://as.example/authorize',
  token_url: 'https://as.example/token',
  revoke_url: 'https://as.example/revoke',
  answer: { provider_account_id: '/account' },
}

/** What a test may change about the one provider, `acme`. */
export interface WorldOptions {
  readonly definition?: object
  readonly provider?: Partial<Provider>
  /** Further providers beside it, like it but for what is said here. */
  readonly others?: readonly (Partial<Provider> & { readonly id: string })[]
  /** Jitter; default 0. */
  readonly fraction?: number
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** A broker over a real store, with a fake clock and a scripted authorization server. */
export async function createWorld(options: WorldOptions = {}) {
  const clock = createFakeClock()
  const server = createScriptedServer()
  const store = await openSqliteStore({ path: inMemory })
  const spool = createMemorySpool()
  const releases: TokenRelease[] = []
  const audit: Audit = {
    flush: async () => {},
    recordRelease: async release => void releases.push(release),
  }
  const provider: Provider = {
    id: 'acme',
    definition: resolveDefinition({ ...definition, ...options.definition }, 'acme'),
    environment: 'production',
    clientId: 'client',
    clientSecrets: [new Secret('canary-client-secret')],
    scopes: ['a', 'b'],
    redirectPath: '/oauth/callback/acme',
    redirectUri: 'https://broker.example/oauth/callback/acme',
    limits: { concurrency: 4, perSecond: 100 },
    missingScopes: 'report',
    variables: {},
    ...options.provider,
  }

  function boot(over: Partial<Provider> = {}) {
    const all = [{}, ...(options.others ?? [])].map(other => ({ ...provider, ...over, ...other }))
    return createBroker({
      clients: all.map(configured => {
        const source = createDefinitionSource(configured, server.http, clock.now)
        return createOAuthClient(configured, source, server.http, clock.now)
      }),
      store,
      keyring: fakeKeyring,
      spool,
      audit,
      clock,
      random: createCountingRandom(options.fraction ?? 0),
      log: silent,
      publicUrl: 'https://broker.example',
    })
  }

  const broker = boot()
  return { broker, boot, clock, server, store, spool, releases, audit, ...conversation(broker) }
}

let sequence = 0

/** Different bytes each time, the same in each run of a test file. */
function createCountingRandom(fraction: number): Random {
  return {
    token: bytes => `${String(++sequence).padStart(8, '0')}${'x'.repeat(Math.ceil((bytes * 4) / 3) - 8)}`,
    fraction: () => fraction,
  }
}

/** The calls that tests make most. */
function conversation(broker: ReturnType<typeof createBroker>) {
  const name = { provider: 'acme', account: '' }
  const caller = { name: 'tester', authentication: 'static_token' }
  const cookie = new Secret('the-cookie')

  async function depart(over: object = {}) {
    const link = await broker.createConsentLink({
      ...name,
      caller,
      scopes: [],
      variables: {},
      subject: '',
      returnId: '',
      allowAccountChange: false,
      ...over,
    })
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    const departure = await broker.consent.start(token, cookie)
    if (departure.kind !== 'leave') throw new Error(`expected to leave, got ${departure.kind}`)
    const state = new URL(departure.authorizationUrl.expose()).searchParams.get('state') ?? ''
    return { link, token, state, departure }
  }

  const comeBack = (parameters: Record<string, string>, withCookie: Secret | undefined = cookie) =>
    broker.consent.finish({
      path: '/oauth/callback/acme',
      parameters: Object.entries(parameters).map(([key, value]) => [key, new Secret(value)]),
      cookie: withCookie,
    })

  return {
    name,
    cookie,
    depart,
    comeBack,
    connect: async (over: object = {}) => comeBack({ code: 'code', state: (await depart(over)).state }),
    get: (over: Partial<TokenRequest> = {}) =>
      broker.getAccessToken({ ...name, caller, requiredScopes: [], ...over }),
    status: (over: object = {}) => broker.getStatus({ ...name, verify: false, ...over }),
  }
}
