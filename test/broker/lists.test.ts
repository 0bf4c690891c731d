import { beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionName } from '../../src/broker/broker.ts'
import { sealContext } from '../../src/broker/connection.ts'
import { allowedAccounts, isAllowed, type Rule } from '../../src/broker/policy/policy.ts'
import { Secret } from '../../src/secret.ts'
import type { NewGrant } from '../../src/store/rows.ts'
import { sampleGrant } from '../store/samples.ts'
import { fakeKeyring } from './fake-keyring.ts'
import { createWorld } from './world.ts'

const METHOD = 'List'
/** Connections of each of three providers, one of which is not configured any more. */
const EACH = 400
const PROVIDERS = ['acme', 'gone', 'zeta']

const rule = (providers: string[], ...accounts: string[]): Rule => ({
  providers,
  accounts,
  methods: [METHOD],
})

/** As the edge says it of a caller with these rules. */
const sightOf = (rules: readonly Rule[]) => ({
  visible: (name: ConnectionName) => isAllowed(rules, METHOD, name),
  accounts: (provider: string) => allowedAccounts(rules, METHOD, provider),
})

function grantOf(provider: string, account: string): NewGrant {
  const grant = sampleGrant({ id: `${provider} ${account}`, provider, account })
  const seal = (column: 'access_token' | 'refresh_token') =>
    fakeKeyring.seal(new Secret('canary'), sealContext({ ...grant, grantEpoch: 1 }, column))
  return { ...grant, sealedAccessToken: seal('access_token'), sealedRefreshToken: seal('refresh_token') }
}

let world: Awaited<ReturnType<typeof createWorld>>
let read = 0

beforeAll(async () => {
  world = await createWorld({ others: [{ id: 'zeta', redirectPath: '/oauth/callback/zeta' }] })
  const { store } = world
  for (const provider of PROVIDERS) {
    const accounts = ['', ...Array.from({ length: EACH - 1 }, (_, nth) => `shop-${nth}`)]
    for (const account of accounts) await store.saveGrant(grantOf(provider, account))
  }
  const { listConnections, findConnection } = store
  store.listConnections = async query => {
    const rows = await listConnections(query)
    read += rows.length
    return rows
  }
  store.findConnection = async (provider, account) => {
    read++
    return findConnection(provider, account)
  }
})

/** All pages, and how many rows were read for them. */
async function list(rules: readonly Rule[], over: object = {}, hint = true) {
  const { visible, accounts } = sightOf(rules)
  const seen: string[] = []
  const tokens: string[] = []
  read = 0
  for (let pageToken = ''; ; ) {
    const request = { pageSize: 7, pageToken, visible, ...(hint && { accounts }), ...over }
    const page = await world.broker.listConnections(request)
    seen.push(...page.connections.map(({ provider, account }) => `${provider}/${account}`))
    tokens.push(page.nextPageToken)
    pageToken = page.nextPageToken
    if (pageToken === '') return { seen, tokens, read }
  }
}

const CASES: readonly [string, readonly Rule[], seen: number, readMax: number][] = [
  ['nothing', [], 0, 3],
  ['one account', [rule(['acme'], 'shop-7')], 1, 4],
  ['the system account of every provider', [rule(['*'], '')], 3, 6],
  ['accounts that do not exist', [rule(['acme'], 'nobody', 'nothing*')], 0, 6],
  // 10 accounts on two pages, of which each reads as far as it has to.
  ['a beginning', [rule(['acme'], 'shop-39*')], 10, 40],
  ['a beginning at a provider that is gone, and one beside it', [rule(['go*', 'zeta'], 'shop-1')], 2, 5],
  ['rules that meet', [rule(['acme'], 'shop-3*', 'shop-30'), rule(['a*'], 'shop-31*', 'shop-5')], 111, 2_000],
  ['a whole provider', [rule(['zeta'], '*')], EACH, 8_000],
  [
    'more patterns than are looked up',
    [rule(['acme'], ...Array.from({ length: 1_001 }, (_, n) => `x${n}`))],
    0,
    500,
  ],
]

describe('listConnections() of who may see', () => {
  it.each(CASES)(
    '%s reads little else, and the same is on the same pages',
    async (_, rules, seen, readMax) => {
      const found = await list(rules)
      const { seen: all, tokens } = await list(rules, {}, false)
      expect({ seen: found.seen, tokens: found.tokens }).toEqual({ seen: all, tokens })
      expect(found.seen).toHaveLength(seen)
      expect(found.read).toBeLessThanOrEqual(readMax)
    },
  )

  it.each([
    { provider: 'acme' },
    { provider: 'zeta' },
    { provider: 'none' },
    { state: 'ACTIVE' },
    { state: 'REAUTH_REQUIRED' },
    { pageSize: 1 },
    { pageSize: 1_000 },
  ])('some, with %o, has the same pages', async over => {
    const rules = [rule(['*'], 'shop-1', 'shop-2*'), rule(['zeta'], '', 'shop-399')]
    const { read: _, ...found } = await list(rules, over)
    expect(found).toMatchObject({ seen: (await list(rules, over, false)).seen })
  })

  it('begins where a page token says, also at what is not there any more', async () => {
    const token = (...name: string[]) => Buffer.from(JSON.stringify(name)).toString('base64url')
    const rules = [rule(['acme', 'zeta'], 'shop-1', 'shop-2*', 'shop-4')]
    for (const after of [
      ['acme', 'shop-1'],
      ['acme', 'shop-2'],
      ['acme', 'shop-29'],
      ['gone', 'x'],
      ['zeta', 'shop-4'],
    ]) {
      const { visible, accounts } = sightOf(rules)
      const request = { pageSize: 1_000, pageToken: token(...after), visible }
      const found = await world.broker.listConnections({ ...request, accounts })
      expect(found).toEqual(await world.broker.listConnections(request))
    }
  })
})

describe('listProviders() of who may see', () => {
  it.each(CASES)('%s counts it without reading much else', async (_, rules, _seen, readMax) => {
    const { visible, accounts } = sightOf(rules)
    read = 0
    const counts = await world.broker.listProviders({ visible, accounts })
    expect(read).toBeLessThanOrEqual(readMax)
    expect(counts).toEqual(await world.broker.listProviders({ visible }))
  })

  it('a whole provider reads no connection at all', async () => {
    read = 0
    const counts = await world.broker.listProviders(sightOf([rule(['acme'], '*')]))
    expect(counts.map(({ connectionCount }) => connectionCount)).toEqual([EACH, 0])
    expect(read).toBe(0)
  })
})

describe('listProviders()', () => {
  it.each([
    ['has consent', {}, 'https://broker.example/oauth/callback/acme'],
    ['needs nobody', { definition: { refresh: { mode: 'client_credentials' } } }, ''],
    [
      'has no client',
      { provider: { clientId: undefined, clientSecrets: [], staticAccessToken: new Secret('s') } },
      '',
    ],
  ])('names a redirect URI to register where the provider %s', async (_, options, redirectUri) => {
    const { broker } = await createWorld(options)
    expect(await broker.listProviders()).toMatchObject([{ provider: 'acme', redirectUri }])
  })
})
