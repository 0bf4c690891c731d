import { describe, expect, it } from 'vitest'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { settle } from './fake-clock.ts'
import { createMachine } from './machine.ts'
import { acted, type Turn } from './scripted-server.ts'

const AS = 'https://as.example'
const endpoints = {
  authorize_url: `${AS}/authorize`,
  token_url: `${AS}/token`,
  revoke_url: `${AS}/revoke`,
  verify_url: `${AS}/status`,
  answer: { provider_account_id: '/account' },
}
type Changes = Partial<Record<keyof typeof endpoints, string>>
const defined = (changes: Changes) => resolveDefinition({ ...endpoints, ...changes }, 'acme')

/** A process with one connection, and the next one, whose configuration has moved. */
async function moved(from: Changes, to: Changes) {
  const machine = createMachine({ provider: { definition: defined(from) } })
  const first = await machine.run()
  await first.connect()
  await first.broker.stop()
  const second = await machine.run({ provider: { definition: defined(to) } })
  const rebind = () =>
    second.broker.rebindConnections({
      provider: 'acme',
      dryRun: false,
      caller: { name: 'operator', authentication: 'operator_token' },
    })
  return { ...machine, ...second, rebind, urls: () => machine.server.http.sent.map(({ url }) => url) }
}

const discovered = {
  issuer: AS,
  authorization_endpoint: `${AS}/authorize`,
  token_endpoint: `${AS}/token`,
  code_challenge_methods_supported: ['S256'],
}
const elsewhere = { revoke_url: 'https://evil.example/revoke' }
const other = { revoke_url: 'https://revoke.example/revoke', verify_url: 'https://api.example/status' }

describe('a revocation', () => {
  it('is not sent to an endpoint that moved since the grant was made, and the log says so', async () => {
    const { disconnect, urls, log } = await moved({}, elsewhere)
    expect(await disconnect()).toMatchObject({ revocation: 'UNSUPPORTED' })
    expect(urls().filter(url => url.startsWith('https://evil.example'))).toEqual([])
    const warnings = log.filter(({ level }) => level === 'warn')
    expect(warnings).toMatchObject([{ fields: { provider: 'acme', account: '' } }])
    expect(warnings[0]?.message).toContain('moved')
  })

  it('is not sent there by an entry that was filed before the move either', async () => {
    const machine = createMachine()
    const first = await machine.run()
    await first.connect()
    machine.server.script.push({ status: 503 })
    expect(await first.disconnect()).toMatchObject({ revocation: 'PENDING' })
    await first.broker.stop()
    await machine.run({ provider: { definition: defined(elsewhere) } })
    await machine.clock.advance(120_000)
    const urls = machine.server.http.sent.map(({ url }) => url)
    expect(urls.filter(url => url.startsWith('https://evil.example'))).toEqual([])
  })

  it.each<[string, Changes, Changes]>([
    ['that was another origin from the first', other, other],
    ['that moved within its origin', {}, { revoke_url: `${AS}/v2/revoke` }],
    ['that moved to the origin of the token endpoint', other, {}],
  ])('is sent to an endpoint %s', async (_, from, to) => {
    const { disconnect, urls } = await moved(from, to)
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(urls().at(-1)).toBe(to.revoke_url ?? endpoints.revoke_url)
  })

  it('is sent to another origin for tokens that come after their connection is gone', async () => {
    const { server, clock, token, disconnect } = await moved(other, other)
    const gate = Promise.withResolvers<void>()
    server.script.push(acted.late(gate.promise))
    clock.jump(3_600_000)
    const late = token()
    await settle()
    await disconnect()
    gate.resolve()
    await late
    await clock.advance(10_000)
    expect(server.revoked).toEqual(['rt-1', 'rt-2'])
  })

  it('is sent to another origin for the tokens of a refused consent', async () => {
    const provider = { definition: defined(other), missingScopes: 'refuse' } as const
    const { server, run } = createMachine({ provider })
    server.scope = 'a'
    await (await run()).connect()
    await settle()
    expect(server.revoked).toEqual(['rt-1'])
  })

  it('is sent to another origin for client credentials', async () => {
    const definition = { ...other, refresh: { mode: 'client_credentials' } }
    const { server, run } = createMachine({ definition })
    const { token, disconnect } = await run()
    expect(await token()).toBe('at-1')
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(server.revoked).toEqual(['at-1'])
  })

  it('is sent to the endpoint of the configuration after a rebind', async () => {
    const { disconnect, urls, rebind, audit } = await moved({}, elsewhere)
    const endpointOrigins = [AS, 'https://evil.example']
    expect(await rebind()).toMatchObject({ rebound: 1, unchanged: 0, endpointOrigins })
    expect(await rebind()).toMatchObject({ rebound: 0, unchanged: 1 })
    const entry = audit.entries.find(({ event }) => event === 'CONNECTION_REBOUND')
    expect(entry?.details.endpoints).toBe(endpointOrigins.join(' '))
    expect(await disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(urls().at(-1)).toBe('https://evil.example/revoke')
  })

  it('is not sent to an endpoint that discovery answers now and did not then', async () => {
    const issued = { ...discovered, revocation_endpoint: 'https://revoke.example/revoke' }
    const machine = createMachine({ provider: { definition: resolveDefinition({ issuer: AS }, 'acme') } })
    machine.server.script.push({ status: 200, body: issued })
    const first = await machine.run()
    await first.connect()
    await first.connect({ account: 'bob' })
    await first.broker.stop()
    machine.server.script.push({ status: 200, body: issued })
    const same = await machine.run()
    expect(await same.disconnect()).toMatchObject({ revocation: 'REVOKED' })
    await same.broker.stop()
    const body = { ...issued, revocation_endpoint: 'https://evil.example/revoke' }
    machine.server.script.push({ status: 200, body })
    const next = await machine.run()
    expect(await next.disconnect({ account: 'bob' })).toMatchObject({ revocation: 'UNSUPPORTED' })
    const urls = machine.server.http.sent.map(({ url }) => url)
    expect(urls.filter(url => url.startsWith('https://evil.example'))).toEqual([])
  })

  it('is not sent to where a variable leads now', async () => {
    const definition = defined({ revoke_url: 'https://{shop}.example/revoke' })
    const machine = createMachine({ provider: { definition, variables: { shop: 'one' } } })
    const first = await machine.run()
    await first.connect()
    await first.broker.stop()
    const second = await machine.run({ provider: { variables: { shop: 'two' } } })
    const sent = machine.server.http.sent.length
    expect(await second.disconnect()).toMatchObject({ revocation: 'UNSUPPORTED' })
    expect(machine.server.http.sent).toHaveLength(sent)
  })
})

/** The server's own answer, and beside it where its tokens are to be refreshed. */
const naming =
  (region: string): Turn =>
  act => {
    const { status, body } = act()
    return { status, body: { ...(body as object), region } }
  }

describe('a refresh token', () => {
  it('goes to the host that an attribute named when the grant was made, and to none that one names later', async () => {
    const { server, clock, run } = createMachine({
      definition: {
        operations: { refresh: { url: 'https://{region}.example/token' } },
        answer: { attributes: { region: '/region' } },
      },
    })
    server.script.push(naming('eu'), naming('evil'))
    const { connect, token, status, store } = await run()
    await connect()
    expect((await store.findConnection('acme', ''))?.tokenOrigin).toBe('https://eu.example')
    await clock.advance(3 * 3_600_000)
    expect(await token()).toBe('PROVIDER_MISCONFIGURED')
    expect((await status()).state).toBe('PROVIDER_MISCONFIGURED')
    expect(server.http.sent.map(({ url }) => url)).toEqual([`${AS}/token`, 'https://eu.example/token'])
  })
})

describe('a verification', () => {
  it('does not send the access token to an endpoint that moved since the grant was made', async () => {
    const { status, urls, rebind, clock } = await moved({}, { verify_url: 'https://evil.example/status' })
    expect((await status({ verify: true })).verification).toMatchObject({ result: 'UNSUPPORTED' })
    expect(urls().filter(url => url.startsWith('https://evil.example'))).toEqual([])
    expect(await rebind()).toMatchObject({ rebound: 1 })
    // An answer is reused for some seconds.
    await clock.advance(60_000)
    expect((await status({ verify: true })).verification).toMatchObject({ result: 'VERIFIED' })
    expect(urls().at(-1)).toBe('https://evil.example/status')
  })

  it('sends it to another origin that the definition had then', async () => {
    const { status } = await moved(other, other)
    expect((await status({ verify: true })).verification).toMatchObject({ result: 'VERIFIED' })
  })
})
