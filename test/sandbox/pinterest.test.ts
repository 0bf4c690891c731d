import { describe, expect, it } from 'vitest'
import { authorizePath, basic, bearer, callback, errorOf, REDIRECT_URI, START, start } from './harness.ts'
import { answered } from './json-client.ts'

// The literals are Pinterest's own: its API description, its quickstart, and the issues of its SDKs.
const AUTHENTICATION_FAILED = { code: 2, message: 'Authentication failed.', status: 'failure' }
const INVALID_GRANT = { code: 283, message: 'The authorization grant is invalid' }
const TOKEN = '/pinterest/v5/oauth/token'

async function pinterest() {
  const fixture = await start({ autoApprove: true })
  const code = (parameters: Record<string, string> = {}) => fixture.code(parameters, '/pinterest/oauth/')
  const token = async (body: Record<string, string>) => answered(await fixture.token(body, TOKEN))
  const exchange = async (more: Record<string, string> = {}, scope = 'user_accounts:read,pins:read') => {
    const body = {
      code: await code({ scope }),
      redirect_uri: REDIRECT_URI,
      continuous_refresh: 'true',
      ...more,
    }
    return token({ grant_type: 'authorization_code', ...body })
  }
  return { ...fixture, code, token, exchange }
}

describe('pinterest refusals', () => {
  it.each([
    ['exchange', { grant_type: 'authorization_code', code: 'x', redirect_uri: REDIRECT_URI }],
    ['refresh', { grant_type: 'refresh_token', refresh_token: 'pinr.x' }],
  ])('of a bad %s', async (_, body) => {
    const { token } = await pinterest()

    expect(await token(body)).toEqual({ status: 401, body: INVALID_GRANT })
  })

  it.each([
    ['a wrong secret', { authorization: basic('sandbox-client', 'wrong') }, {}],
    ['credentials in the body', {}, { client_id: 'sandbox-client', client_secret: 'sandbox-secret' }],
  ])('of %s', async (_, headers, body) => {
    const { post } = await pinterest()
    const form = { grant_type: 'refresh_token', refresh_token: 'pinr.x', ...body }

    expect(await answered(await post(TOKEN, form, { ...headers }))).toEqual({
      status: 401,
      body: AUTHENTICATION_FAILED,
    })
  })

  it.each([
    ['an unknown grant type', { grant_type: 'password' }],
    ['a missing code', { grant_type: 'authorization_code', redirect_uri: REDIRECT_URI }],
  ])('of %s', async (_, body) => {
    const { token } = await pinterest()

    expect(await token({ ...body })).toEqual({
      status: 400,
      body: { code: 1, message: expect.stringMatching(/^Invalid request: /) },
    })
  })

  it('of an access token that is dead', async () => {
    const { get } = await pinterest()

    expect(await answered(await get('/pinterest/v5/user_account', bearer('pina_x')))).toEqual({
      status: 401,
      body: AUTHENTICATION_FAILED,
    })
  })

  it('of an access token without user_accounts:read', async () => {
    const { exchange, get } = await pinterest()
    const { body } = await exchange({}, 'pins:read')

    expect(
      await answered(await get('/pinterest/v5/user_account', bearer(String(body.access_token)))),
    ).toEqual({
      status: 401,
      body: { code: 3, message: expect.stringMatching(/^Your token does not have sufficient permissions/) },
    })
  })

  it('with 429', async () => {
    const { token, sandbox } = await pinterest()
    sandbox.control.addFault({ operation: 'refresh', answer: 'status', status: 429, retryAfter: 60 })

    expect(await token({ grant_type: 'refresh_token', refresh_token: 'x' })).toMatchObject({
      status: 429,
      body: { code: 8 },
    })
  })

  it('of a scope that Pinterest does not have', async () => {
    const fixture = await pinterest()

    const back = await callback(fixture, authorizePath({ scope: 'users:read' }, '/pinterest/oauth/'))

    expect(back.get('error')).toBe('invalid_scope')
  })
})

describe('pinterest exchange', () => {
  it('answers with its own fields', async () => {
    const { exchange } = await pinterest()

    expect(await exchange()).toEqual({
      status: 200,
      body: {
        response_type: 'authorization_code',
        access_token: expect.stringMatching(/^pina_/),
        refresh_token: expect.stringMatching(/^pinr\./),
        token_type: 'bearer',
        expires_in: 2_592_000,
        refresh_token_expires_in: 5_184_000,
        refresh_token_expires_at: START / 1000 + 5_184_000,
        scope: 'user_accounts:read,pins:read',
      },
    })
  })

  it('hands out the dead legacy refresh token without continuous_refresh', async () => {
    const { exchange, token } = await pinterest()

    const { body } = await exchange({ continuous_refresh: '' })

    expect(body.refresh_token_expires_in).toBe(31_536_000)
    const refresh = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }
    expect(await token(refresh)).toEqual({ status: 401, body: INVALID_GRANT })
  })

  it('adds the scopes that were allowed before', async () => {
    const { exchange } = await pinterest()
    await exchange({}, 'boards:read')

    expect((await exchange({}, 'pins:read ads:read')).body.scope).toBe('pins:read,ads:read,boards:read')
  })

  it('knows the client under its older name', async () => {
    const { get } = await pinterest()
    const path = authorizePath({ client_id: '', consumer_id: 'sandbox-client' }, '/pinterest/oauth/')

    expect((await get(path)).status).toBe(302)
  })

  it('takes a challenge for nothing and sends no iss', async () => {
    const fixture = await pinterest()

    const back = await callback(fixture, authorizePath({ code_challenge: 'x' }, '/pinterest/oauth/'))

    expect([...back.keys()]).toEqual(['code', 'state'])
  })
})

describe('pinterest refresh', () => {
  it('rotates, and the 60 days begin anew', async () => {
    const { exchange, token, clock } = await pinterest()
    const first = (await exchange()).body
    clock.advance(30 * 24 * 3_600_000)
    const refresh = { grant_type: 'refresh_token', refresh_token: String(first.refresh_token) }

    const second = await token(refresh)

    expect(second).toMatchObject({
      status: 200,
      body: { response_type: 'refresh_token', refresh_token_expires_in: 5_184_000 },
    })
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    expect(await token(refresh)).toEqual({ status: 401, body: INVALID_GRANT })
  })

  it('by client_credentials is for the owner of the app', async () => {
    const { token, get } = await pinterest()

    const { body } = await token({ grant_type: 'client_credentials', scope: 'user_accounts:read' })

    expect(body).toMatchObject({ response_type: 'client_credentials' })
    expect(body).not.toHaveProperty('refresh_token')
    expect((await get('/pinterest/v5/user_account', bearer(String(body.access_token)))).status).toBe(200)
  })
})

describe('pinterest revoke', () => {
  it('is not for ordinary users', async () => {
    const { exchange, post, get } = await pinterest()
    const { body } = await exchange()
    const form = { token: String(body.access_token), token_type_hint: 'access_token' }

    const answer = await post('/pinterest/v5/oauth/token/revoke', form, { authorization: basic() })

    expect(await answered(answer)).toEqual({
      status: 403,
      body: { code: 29, message: 'You are not permitted to access that resource.' },
    })
    expect((await get('/pinterest/v5/user_account', bearer(form.token))).status).toBe(200)
  })

  it('is for system users', async () => {
    const { sandbox, post, get } = await pinterest()
    const accountId = '1099511627776000001'
    const tokens = sandbox.control.createGrant({ dialect: 'pinterest', accountId })
    const form = { token: tokens.accessToken }

    const answer = await post('/pinterest/v5/oauth/token/revoke', form, { authorization: basic() })

    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect((await get('/pinterest/v5/user_account', bearer(tokens.accessToken))).status).toBe(401)
  })
})

describe('pinterest user_account', () => {
  it('names the account', async () => {
    const { exchange, get } = await pinterest()
    const { body } = await exchange()

    expect(
      await answered(await get('/pinterest/v5/user_account', bearer(String(body.access_token)))),
    ).toMatchObject({
      status: 200,
      body: { account_type: 'BUSINESS', id: '2783136121146311751', username: 'ada_pins' },
    })
  })

  it('does not let the tokens of another dialect in', async () => {
    const { connect, get } = await pinterest()
    const { access_token } = await connect()

    expect((await get('/pinterest/v5/user_account', bearer(access_token))).status).toBe(401)
    expect(await errorOf(get('/oauth2/userinfo', bearer('pina_x')))).toEqual([401, 'invalid_token'])
  })
})
