import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const failed = (reason: string) => ({ kind: 'failed', error: { reason } })

describe('createConsentLink()', () => {
  it('links to the consent page and reports the consent as pending', async () => {
    const { depart, broker } = await createWorld()
    const { link } = await depart()
    expect(link.url.expose()).toMatch(/^https:\/\/broker\.example\/connect\/[\w-]{43}$/)
    expect(await broker.getConsent(link.consentId)).toMatchObject({ state: 'PENDING' })
    await expect(broker.getConsent('nothing')).rejects.toMatchObject({ reason: 'CONSENT_NOT_FOUND' })
  })

  it('refuses variables that are not declared or do not match', async () => {
    const variables = { shop: { matches: '[a-z]+\\.example' } }
    const { depart } = await createWorld({ definition: { variables } })
    await expect(depart({ variables: { shop: 'evil.test/x.example' } })).rejects.toMatchObject({
      reason: 'INVALID_REQUEST',
    })
    await expect(depart({ variables: { other: 'x' } })).rejects.toMatchObject({ reason: 'INVALID_REQUEST' })
    await depart({ variables: { shop: 'a.example' } })
  })

  it('refuses a provider without client id', async () => {
    const { depart } = await createWorld({ provider: { clientId: undefined } })
    await expect(depart()).rejects.toMatchObject({ reason: 'PROVIDER_MISCONFIGURED' })
  })
})

describe('consent.view()', () => {
  it('tells what would be connected, as often as it is asked', async () => {
    const { broker, name } = await createWorld()
    const caller = { name: 'ops', authentication: 'x' }
    const request = { ...name, caller, scopes: ['b'], variables: {}, subject: '', returnId: '' }
    const link = await broker.createConsentLink({ ...request, allowAccountChange: false })
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    for (let i = 0; i < 10; i++) {
      expect(await broker.consent.view(token)).toMatchObject({
        kind: 'ready',
        host: 'as.example',
        scopes: ['b'],
        createdBy: 'ops',
      })
    }
    expect((await broker.consent.view(new Secret('forged'))).kind).toBe('unknown')
  })
})

describe('consent.start()', () => {
  it('leaves for the provider with state and PKCE', async () => {
    const { depart } = await createWorld()
    const { departure } = await depart()
    const query = new URL(departure.authorizationUrl.expose()).searchParams
    expect(Object.fromEntries(query)).toMatchObject({
      response_type: 'code',
      client_id: 'client',
      scope: 'a b',
      redirect_uri: 'https://broker.example/oauth/callback/acme',
      code_challenge_method: 'S256',
    })
    expect(query.get('state')).toMatch(/^[\w-]{43}$/)
    expect(query.get('code_challenge')).toMatch(/^[\w-]{43}$/)
  })

  it('uses the link up', async () => {
    const { depart, broker, cookie } = await createWorld()
    const { token } = await depart()
    expect((await broker.consent.start(token, cookie)).kind).toBe('used')
  })

  it('refuses a link after ten minutes', async () => {
    const { broker, clock, cookie, name } = await createWorld()
    const request = {
      ...name,
      scopes: [],
      variables: {},
      subject: '',
      returnId: '',
      allowAccountChange: false,
    }
    const link = await broker.createConsentLink({ ...request, caller: { name: 'x', authentication: 'x' } })
    await clock.advance(600_000)
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    expect((await broker.consent.start(token, cookie)).kind).toBe('expired')
    expect((await broker.getConsent(link.consentId)).state).toBe('EXPIRED')
  })
})

describe('consent.finish()', () => {
  it('connects: exchanges the code with its verifier and names account and scopes', async () => {
    const { depart, comeBack, broker, server } = await createWorld()
    server.scope = 'a'
    const { link, state } = await depart()
    expect(await comeBack({ code: 'c', state })).toMatchObject({
      kind: 'connected',
      status: { state: 'ACTIVE', providerAccountId: 'account-1', missingScopes: ['b'] },
    })
    expect(new URLSearchParams(server.http.sent[0]?.body).get('code_verifier')).toMatch(/^[\w-]{43}$/)
    expect(await broker.getConsent(link.consentId)).toMatchObject({
      state: 'COMPLETED',
      status: { connected: true },
    })
  })

  it('takes a state once', async () => {
    const { depart, comeBack, server } = await createWorld()
    const { state } = await depart()
    await comeBack({ code: 'c', state })
    const before = server.http.sent.length
    expect(await comeBack({ code: 'c', state })).toEqual({ kind: 'unknown' })
    expect(server.http.sent).toHaveLength(before)
  })

  it.each([
    ['a forged state', { code: 'c', state: 'forged' }, undefined, { kind: 'unknown' }],
    ['no state', { code: 'c' }, undefined, { kind: 'unknown' }],
    ['a denial', { error: 'access_denied' }, undefined, failed('DENIED')],
    ['an error', { error: 'server_error' }, undefined, failed('PROVIDER_ERROR')],
    ['no code', {}, undefined, failed('BAD_CALLBACK')],
    ['another browser', { code: 'c' }, new Secret('other'), { kind: 'foreign_browser' }],
  ])('with %s sends nothing to the token endpoint', async (_, parameters, cookie, expected) => {
    const { depart, comeBack, server } = await createWorld()
    const { state } = await depart()
    const stated: Record<string, string> =
      'state' in parameters || _ === 'no state' ? (parameters as never) : { ...parameters, state }
    expect(await comeBack(stated, cookie)).toMatchObject(expected)
    expect(server.http.sent).toHaveLength(0)
  })

  it('refuses a browser without the cookie', async () => {
    const { depart, broker, server } = await createWorld()
    const { state } = await depart()
    const parameters = [
      ['code', new Secret('c')],
      ['state', new Secret(state)],
    ] as const
    const result = await broker.consent.finish({ path: '/oauth/callback/acme', parameters })
    expect(result.kind).toBe('foreign_browser')
    expect(server.http.sent).toHaveLength(0)
  })

  it('refuses duplicates of what matters', async () => {
    const { depart, broker, server, cookie } = await createWorld()
    const { state } = await depart()
    const parameters = ['a', 'b'].map(code => ['code', new Secret(code)] as const)
    const path = '/oauth/callback/acme'
    const all = [...parameters, ['state', new Secret(state)] as const]
    expect(await broker.consent.finish({ path, parameters: all, cookie })).toMatchObject(
      failed('BAD_CALLBACK'),
    )
    expect(server.http.sent).toHaveLength(0)
  })

  it('expires ten minutes after the browser left', async () => {
    const { depart, comeBack, clock, broker } = await createWorld()
    const { state, link } = await depart()
    await clock.advance(600_000)
    expect(await comeBack({ code: 'c', state })).toEqual({ kind: 'expired' })
    expect((await broker.getConsent(link.consentId)).state).toBe('EXPIRED')
  })

  it('reports an exchange that failed and leaves the former grant alone', async () => {
    const { connect, depart, comeBack, server, get } = await createWorld()
    await connect()
    const { state } = await depart()
    server.script.push(answers.refused)
    expect(await comeBack({ code: 'c', state })).toMatchObject(failed('EXCHANGE_FAILED'))
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it('refuses another account unless the link allows it, and revokes what came', async () => {
    const { connect, server, get } = await createWorld()
    await connect()
    server.account = 'account-2'
    expect(await connect()).toMatchObject(failed('ACCOUNT_CHANGED'))
    expect(server.revoked).toEqual(['rt-2'])
    expect((await get()).accessToken.expose()).toBe('at-1')
    expect(await connect({ allowAccountChange: true })).toMatchObject({
      kind: 'connected',
      status: { providerAccountId: 'account-2' },
    })
  })

  it('asks which account consented before it replaces one, and changes nothing if it cannot learn that', async () => {
    const definition = { verify_url: 'https://as.example/token', answer: { provider_account_id: '/none' } }
    const yields = { operations: { verify: { yields: { provider_account_id: '/account' } } } }
    const { connect, depart, comeBack, server, get } = await createWorld({
      definition: { ...definition, ...yields },
    })
    await connect()
    expect((await get()).providerAccountId).toBe('account-1')
    const { state } = await depart()
    server.script.push(Promise.resolve(), answers.down)
    expect(await comeBack({ code: 'c', state })).toMatchObject(failed('PROVIDER_ERROR'))
    expect((await get()).accessToken.expose()).toBe('at-1')
    server.account = 'account-2'
    expect(await connect()).toMatchObject(failed('ACCOUNT_CHANGED'))
  })

  it('refuses missing scopes where the provider is configured so', async () => {
    const { connect, server, status } = await createWorld({ provider: { missingScopes: 'refuse' } })
    server.scope = 'a'
    expect(await connect()).toMatchObject(failed('SCOPES_MISSING'))
    expect(server.revoked).toEqual(['rt-1'])
    expect((await status()).state).toBe('NOT_CONNECTED')
  })

  it('wins over a refresh that was under way for the former grant', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(3_600_000)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const late = get()
    await clock.advance(1)
    await connect()
    gate.resolve()
    expect((await late).accessToken.expose()).toBe('at-2')
    expect((await get()).accessToken.expose()).toBe('at-2')
  })
})
