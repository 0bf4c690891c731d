import { describe, expect, it } from 'vitest'
import type { RebindRequest } from '../../src/broker/keys/rebind.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { createMachine } from './machine.ts'

const HOUR = 3_600_000

const elsewhere = resolveDefinition(
  {
    authorize_url: 'https://new.example/authorize',
    token_url: 'https://new.example/token',
    answer: { provider_account_id: '/account' },
  },
  'acme',
)

/** A process whose configuration has moved since two connections were made. */
async function movedTo(provider: Partial<Provider>) {
  const machine = createMachine()
  const first = await machine.run()
  await first.connect()
  await first.connect({ account: 'bob' })
  await first.broker.stop()
  const moved = await machine.run({ provider })
  const rebind = (request: Partial<RebindRequest> = {}) =>
    moved.broker.rebindConnections({
      provider: 'acme',
      dryRun: false,
      caller: { name: 'operator', authentication: 'operator_token' },
      ...request,
    })
  return { ...moved, machine, rebind, ...machine }
}

describe('rebindConnections()', () => {
  it.each<[string, Partial<Provider>, string]>([
    ['another endpoint', { definition: elsewhere }, 'https://new.example'],
    ['another client', { clientId: 'another' }, 'https://as.example'],
  ])('lets tokens go to %s, which nothing else does', async (_, provider, tokenOrigin) => {
    const { rebind, get, token, status, clock, server, audit } = await movedTo(provider)
    await clock.advance(2 * HOUR)
    const before = server.http.sent.length
    expect(await token()).toBe('PROVIDER_MISCONFIGURED')
    await expect(get()).rejects.toMatchObject({
      details: { help: expect.stringContaining('token-broker rebind acme --all') },
    })
    expect(server.http.sent).toHaveLength(before)
    expect(await rebind()).toEqual({
      tokenOrigin,
      previousOrigins: ['https://as.example'],
      endpointOrigins: [tokenOrigin].filter(origin => origin === 'https://as.example'),
      rebound: 2,
      unchanged: 0,
      skipped: 0,
      skippedAccounts: [],
    })
    expect(await token()).toMatch(/^at-/)
    expect(server.http.sent.at(-1)?.url).toBe(`${tokenOrigin}/token`)
    expect((await status()).state).toBe('ACTIVE')
    const rebound = audit.entries.filter(({ event }) => event === 'CONNECTION_REBOUND')
    expect(rebound.map(({ account }) => account).sort()).toEqual(['', 'bob'])
    expect(rebound[0]?.details).toMatchObject({ from: 'https://as.example', to: tokenOrigin })
  })

  it('goes no further than it was asked', async () => {
    const { rebind, token, store } = await movedTo({ definition: elsewhere })
    expect(await rebind({ account: 'bob' })).toMatchObject({ rebound: 1 })
    expect(await rebind({ account: 'bob' })).toMatchObject({ rebound: 0, unchanged: 1, previousOrigins: [] })
    expect(await rebind({ account: 'nobody' })).toMatchObject({ rebound: 0, unchanged: 0, skipped: 0 })
    expect((await store.findConnection('acme', ''))?.tokenOrigin).toBe('https://as.example')
    expect((await store.findConnection('acme', 'bob'))?.tokenOrigin).toBe('https://new.example')
    expect(await token({ account: 'bob' })).toBe('at-2')
  })

  it('names every place where tokens would go, if they do not all go to the same', async () => {
    const variables = { shop: { matches: '[a-z]+' } }
    const definition = resolveDefinition(
      {
        authorize_url: 'https://new.example/authorize',
        token_url: 'https://{shop}.example/token',
        revoke_url: 'https://new.example/revoke',
        variables,
      },
      'acme',
    )
    const { rebind, store } = await movedTo({ definition, variables: { shop: 'one' } })
    expect(await rebind({ account: 'bob', dryRun: true })).toMatchObject({
      tokenOrigin: 'https://one.example',
    })
    const find = store.listConnections
    store.listConnections = async query => {
      const rows = await find(query)
      return rows.map(row => (row.account === 'bob' ? { ...row, variables: { shop: 'two' } } : row))
    }
    expect(await rebind({ dryRun: true })).toMatchObject({
      tokenOrigin: '',
      endpointOrigins: ['https://one.example', 'https://two.example', 'https://new.example'],
      rebound: 2,
    })
  })

  it('as a dry run says the same and changes nothing', async () => {
    const { rebind, store } = await movedTo({ definition: elsewhere })
    const before = await store.listConnections({ limit: 10 })
    expect(await rebind({ dryRun: true })).toMatchObject({ rebound: 2, tokenOrigin: 'https://new.example' })
    expect(await store.listConnections({ limit: 10 })).toEqual(before)
  })

  it('leaves out what does not open, and what was renewed meanwhile', async () => {
    const { rebind, store } = await movedTo({ definition: elsewhere })
    const [value] = await store.listSealedValues({ kid: '', limit: 1 })
    expect(value).toBeUndefined()
    const find = store.listConnections
    store.listConnections = async query => {
      const rows = await find(query)
      return rows.map(row => (row.account === '' ? { ...row, grantEpoch: 9 } : { ...row, counter: 9 }))
    }
    expect(await rebind()).toMatchObject({ rebound: 0, skipped: 2, skippedAccounts: ['', 'bob'] })
  })

  it('refuses a provider that is not configured', async () => {
    const { rebind } = await movedTo({})
    await expect(rebind({ provider: 'nobody' })).rejects.toMatchObject({ reason: 'PROVIDER_NOT_FOUND' })
  })
})
