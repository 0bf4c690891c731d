import { describe, expect, it } from 'vitest'
import {
  basic,
  CHALLENGE,
  CLIENT,
  errorOf,
  type Fixture,
  REDIRECT_URI,
  start,
  type TokenAnswer,
  VERIFIER,
} from './harness.ts'

const REFUSED = [400, 'invalid_grant']

function exchange(fixture: Fixture, code: string, more: Record<string, string> = {}): Promise<Response> {
  return fixture.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, ...more })
}

describe('exchange() when the code is not good', () => {
  it('refuses a second use and revokes what the first one yielded', async () => {
    const fixture = await start({ autoApprove: true })
    const code = await fixture.code()
    const tokens = (await (await exchange(fixture, code)).json()) as TokenAnswer

    expect(await errorOf(exchange(fixture, code))).toEqual(REFUSED)

    expect(await fixture.opens(tokens.access_token)).toBe(false)
    expect(await errorOf(fixture.refresh(tokens.refresh_token))).toEqual(REFUSED)
  })

  it.each([
    ['one millisecond before its end', 59_999, 200],
    ['at its end', 60_000, 400],
  ])('with a code %s', async (_, ms, status) => {
    const fixture = await start({ autoApprove: true })
    const code = await fixture.code()
    fixture.clock.advance(ms)

    expect((await exchange(fixture, code)).status).toBe(status)
  })

  it.each([
    ['another redirect_uri', { redirect_uri: `${REDIRECT_URI}/` }],
    ['no redirect_uri', { redirect_uri: '' }],
    ['an unknown code', { code: 'code-of-nobody' }],
  ])('refuses %s', async (_, change) => {
    const fixture = await start({ autoApprove: true })

    expect(await errorOf(exchange(fixture, await fixture.code(), change))).toEqual(REFUSED)
  })

  it('refuses the code of another client', async () => {
    const fixture = await start({
      autoApprove: true,
      clients: [{ clientId: 'other', clientSecret: 'other-secret' }],
    })
    const code = await fixture.code()
    const body = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI }
    const headers = { authorization: basic('other', 'other-secret') }

    expect(await errorOf(fixture.post('/oauth2/token', body, headers))).toEqual(REFUSED)
  })
})

describe('exchange() with PKCE', () => {
  const challenged = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }

  it.each([
    ['the right verifier', challenged, { code_verifier: VERIFIER }, 200],
    ['a wrong verifier', challenged, { code_verifier: `${VERIFIER}x` }, 400],
    ['the challenge itself as verifier', challenged, { code_verifier: CHALLENGE }, 400],
    ['no verifier', challenged, {}, 400],
    ['a verifier without a challenge', {}, { code_verifier: VERIFIER }, 400],
  ])('with %s', async (_, request, body, status) => {
    const fixture = await start({ autoApprove: true })

    expect((await exchange(fixture, await fixture.code(request), body)).status).toBe(status)
  })

  it('lets a public client in without a secret', async () => {
    const fixture = await start({ autoApprove: true, clients: [{ clientId: 'app', clientSecret: null }] })
    const code = await fixture.code({ client_id: 'app', ...challenged })
    const body = { client_id: 'app', code_verifier: VERIFIER, redirect_uri: REDIRECT_URI, code }

    const answer = await fixture.post('/oauth2/token', { grant_type: 'authorization_code', ...body })

    expect(answer.status).toBe(200)
  })
})

describe('exchange() when the client is not good', () => {
  const body = { grant_type: 'authorization_code', code: 'x', redirect_uri: REDIRECT_URI }

  it.each([
    ['a wrong secret by Basic', body, { authorization: basic(CLIENT.id, 'wrong') }],
    ['an unknown client by Basic', body, { authorization: basic('nobody', CLIENT.secret) }],
    ['no secret by Basic', body, { authorization: basic(CLIENT.id, '') }],
    ['a wrong secret in the body', { ...body, client_id: CLIENT.id, client_secret: 'wrong' }, {}],
    ['no credentials', body, {}],
  ])('refuses %s', async (_, form, headers) => {
    const { post } = await start()

    expect(await errorOf(post('/oauth2/token', form, { ...headers }))).toEqual([401, 'invalid_client'])
  })

  it('challenges a client that tried Basic', async () => {
    const { post } = await start()

    const answer = await post('/oauth2/token', body, { authorization: basic(CLIENT.id, 'wrong') })

    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="sandbox", error="invalid_client"')
  })

  it('takes Basic credentials that were form-encoded before', async () => {
    const clients = [{ clientId: 'a:b', clientSecret: 'p+q %' }]
    const { post } = await start({ clients })
    const authorization = basic(encodeURIComponent('a:b'), 'p%2Bq+%25')

    const answer = await post('/oauth2/token', { grant_type: 'client_credentials' }, { authorization })

    expect(answer.status).toBe(200)
  })
})

describe('exchange() of a malformed request', () => {
  it.each([
    ['no grant_type', {}, 'invalid_request'],
    ['no code', { grant_type: 'authorization_code' }, 'invalid_request'],
    ['an unknown grant_type', { grant_type: 'password' }, 'unsupported_grant_type'],
  ])('refuses %s', async (_, body, error) => {
    const { token } = await start()

    expect(await errorOf(token({ ...body }))).toEqual([400, error])
  })

  it('refuses a client that authenticates twice', async () => {
    const { token } = await start()
    const body = { grant_type: 'client_credentials', client_secret: CLIENT.secret }

    expect(await errorOf(token(body))).toEqual([400, 'invalid_request'])
  })

  it('refuses a repeated parameter', async () => {
    const { post } = await start()
    const body = new URLSearchParams('grant_type=refresh_token&refresh_token=a&refresh_token=b')

    expect(await errorOf(post('/oauth2/token', body, { authorization: basic() }))).toEqual([
      400,
      'invalid_request',
    ])
  })

  it.each(['application/json', 'text/plain'])('refuses a body of %s', async type => {
    const { origin } = await start()
    const body = '{"grant_type":"client_credentials"}'
    const headers = { 'content-type': type, authorization: basic() }

    expect(await errorOf(fetch(`${origin}/oauth2/token`, { method: 'POST', body, headers }))).toEqual([
      400,
      'invalid_request',
    ])
  })
})

describe('exchange()', () => {
  it('answers as RFC 6749 section 5.1 says', async () => {
    const fixture = await start({ autoApprove: true })

    const answer = await exchange(fixture, await fixture.code({ scope: 'read write' }))

    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toEqual({
      access_token: expect.stringMatching(/^at-/),
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: expect.stringMatching(/^rt-/),
      scope: 'read write',
    })
  })
})

describe('client_credentials', () => {
  it('yields a token for the client itself, and no refresh token', async () => {
    const { token, get } = await start()

    const answer = await token({ grant_type: 'client_credentials', scope: 'read' })
    const body = (await answer.json()) as TokenAnswer

    expect(body).not.toHaveProperty('refresh_token')
    const me = await get('/oauth2/api/me', { authorization: `Bearer ${body.access_token}` })
    expect(await me.json()).toEqual({
      id: CLIENT.id,
      name: CLIENT.id,
      client_id: CLIENT.id,
      scopes: ['read'],
    })
  })

  it('is refused to a public client', async () => {
    const { post } = await start({ clients: [{ clientId: 'app', clientSecret: null }] })
    const body = { grant_type: 'client_credentials', client_id: 'app' }

    expect(await errorOf(post('/oauth2/token', body))).toEqual([400, 'unauthorized_client'])
  })
})
