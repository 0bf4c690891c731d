import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { StoreError } from '../../src/store/store.ts'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const failed = (reason: string) => ({ kind: 'failed', error: { reason } })

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

  it('exchanges the code with the redirect URI that it was asked for with, also where another name stands for it', async () => {
    const { depart, comeBack, server } = await createWorld({
      definition: { authorize: { url: 'https://as.example/authorize', redirect_alias: 'Acme-RuName' } },
    })
    const { state, departure } = await depart()
    const asked = new URL(departure.authorizationUrl.expose()).searchParams.get('redirect_uri')
    await comeBack({ code: 'c', state })
    const exchanged = new URLSearchParams(server.http.sent[0]?.body).get('redirect_uri')
    expect([asked, exchanged]).toEqual(['Acme-RuName', 'Acme-RuName'])
  })

  it('is not called expired while the code is exchanged, which takes minutes at the most', async () => {
    const { depart, comeBack, broker, server, clock } = await createWorld()
    const { link, state } = await depart()
    const stateNow = async () => (await broker.getConsent(link.consentId)).state
    await clock.advance(599_999)
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const back = comeBack({ code: 'c', state })
    await clock.advance(300_000)
    expect(await stateNow()).toBe('PENDING')
    await clock.advance(1)
    expect(await stateNow()).toBe('EXPIRED')
    gate.resolve()
    expect((await back).kind).toBe('connected')
    expect(await stateNow()).toBe('COMPLETED')
  })

  it('connects although what the provider tells beside the tokens cannot be stored', async () => {
    const verify = { url: 'https://as.example/status', yields: { name: '/username' } }
    const { connect, store, log, get } = await createWorld({ definition: { operations: { verify } } })
    store.enrichConnection = () => Promise.reject(new StoreError('full', 'the disk is full'))
    expect((await connect()).kind).toBe('connected')
    expect(log.map(({ message }) => message)).toContain(
      'Could not store what the provider tells of a new grant',
    )
    expect((await get()).accessToken.expose()).toBe('at-1')
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

  it('schedules the renewal by the expiry that only a second call yields', async () => {
    const definition = {
      verify_url: 'https://as.example/token',
      answer: { provider_account_id: '/account', expires: { at: '/none' } },
      operations: { verify: { yields: { expires: { at: '/expires_in' } } } },
    }
    const { connect, status } = await createWorld({ definition })
    await connect()
    expect(await status()).toMatchObject({ expiresAt: expect.anything(), nextRefreshAt: expect.anything() })
  })

  it('does not revoke an account of which another grant is kept', async () => {
    const operations = { revoke: { url: 'https://as.example/revoke', revokes: 'account' } }
    const { connect, server, depart, comeBack, get } = await createWorld({ definition: { operations } })
    await connect()
    server.account = 'account-2'
    await connect({ account: 'other' })
    const { state } = await depart()
    expect(await comeBack({ code: 'c', state })).toMatchObject({ error: { reason: 'ACCOUNT_CHANGED' } })
    expect(server.revoked).toEqual([])
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it('shows trouble with the store before the code is spent', async () => {
    const { depart, comeBack, store, server } = await createWorld()
    const { state } = await depart({ account: 'cold' })
    store.findConnection = async () => {
      throw new StoreError('busy', 'busy')
    }
    await expect(comeBack({ code: 'c', state })).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
    expect(server.http.sent).toHaveLength(0)
  })
})
