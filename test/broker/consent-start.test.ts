import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { createWorld } from './world.ts'

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

  it('names the host that a variable makes', async () => {
    const definition = {
      authorize_url: 'https://{shop}/authorize',
      variables: { shop: { matches: '[a-z.]+' } },
    }
    const { broker, name } = await createWorld({ definition })
    const link = await broker.createConsentLink({
      ...name,
      caller: { name: 'x', authentication: 'x' },
      scopes: [],
      variables: { shop: 'a.example' },
      subject: '',
      returnId: '',
      allowAccountChange: false,
    })
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    expect(await broker.consent.view(token)).toMatchObject({ host: 'a.example' })
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
