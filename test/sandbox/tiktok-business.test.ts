import { describe, expect, it } from 'vitest'
import { authorizePath, CLIENT, callback, REDIRECT_URI, start } from './harness.ts'
import { answered, postJson } from './json-client.ts'

// The literals are recorded answers of the real server; refresh_token_expires_in too.
const OAUTH = '/tiktok-business/open_api/v1.3/tt_user/oauth2'
const AUTHORIZE = '/tiktok-business/v2/auth/authorize/'
const WRONG_TOKEN = {
  status: 200,
  body: {
    code: 40105,
    message: 'Access token is incorrect or has been revoked.',
    request_id: expect.any(String),
    data: {},
  },
}

async function tiktok() {
  const fixture = await start({ autoApprove: true })
  const query = (more: Record<string, string> = {}) =>
    authorizePath(
      { client_id: '', client_key: CLIENT.id, scope: 'user.info.basic,video.list', ...more },
      AUTHORIZE,
    )
  const post = (path: string, body: Record<string, unknown>) =>
    postJson(fixture.origin + OAUTH + path, { client_id: CLIENT.id, client_secret: CLIENT.secret, ...body })
  const exchange = async (more: Record<string, unknown> = {}) =>
    post('/token/', {
      grant_type: 'authorization_code',
      auth_code: (await callback(fixture, query())).get('code'),
      redirect_uri: REDIRECT_URI,
      ...more,
    })
  const connect = async () => (await exchange()).body.data as Record<string, unknown>
  const refresh = (token: unknown) =>
    post('/refresh_token/', { grant_type: 'refresh_token', refresh_token: token })
  const business = (id: unknown, headers: Record<string, string>, more = '') =>
    answered(fixture.get(`/tiktok-business/open_api/v1.3/business/get/?business_id=${id}${more}`, headers))
  const tokenInfo = (appId: string, token: unknown) =>
    postJson(`${fixture.origin}/tiktok-business/open_api/v1.3/tt_user/token_info/get/`, {
      app_id: appId,
      access_token: token,
    })
  return { ...fixture, query, post, exchange, connect, refresh, business, tokenInfo }
}

describe('tiktok-business refusals', () => {
  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, 40101],
    ['a bad code', { auth_code: 'x' }, 40110],
    ['a code under the usual name', { auth_code: undefined, code: 'x' }, 40002],
    ['another grant type', { grant_type: 'refresh_token' }, 40002],
    ['another redirect_uri', { redirect_uri: `${REDIRECT_URI}/` }, 40110],
  ])('of %s come with status 200', async (_, body, code) => {
    const { exchange } = await tiktok()

    const answer = await exchange(body)

    expect(answer).toMatchObject({ status: 200, body: { code, data: {} } })
  })

  it('of a form', async () => {
    const { post, origin } = await tiktok()
    const form = new URLSearchParams({ client_id: CLIENT.id, client_secret: CLIENT.secret })

    const answer = await answered(fetch(`${origin}${OAUTH}/token/`, { method: 'POST', body: form }))

    expect(answer.body.code).toBe(40002)
    expect((await post('/token/', {})).body.code).toBe(40002)
  })

  it('of a dead refresh token', async () => {
    const { refresh } = await tiktok()

    expect(await refresh('rft.x')).toMatchObject({ status: 200, body: { code: 40105 } })
  })

  it('of too many requests', async () => {
    const { refresh, sandbox } = await tiktok()
    sandbox.control.addFault({ operation: 'refresh', answer: 'status', status: 429 })

    expect(await refresh('x')).toMatchObject({
      status: 429,
      body: { code: 40100, message: 'App reaches the QPS limit.' },
    })
  })
})

describe('tiktok-business authorize', () => {
  it.each([
    ['a scope that there is not', { scope: 'user.info.basic,pins:read' }],
    ['scopes that are separated by spaces', { scope: 'user.info.basic video.list' }],
    ['client_id instead of client_key', { client_key: '', client_id: CLIENT.id }],
  ])('tells the user, not the client, of %s', async (_, more) => {
    const { get, query } = await tiktok()

    const answer = await get(query(more))

    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })

  it('comes back with scopes and a code that is encoded once', async () => {
    const fixture = await tiktok()

    const back = await callback(fixture, fixture.query())

    expect([...back.keys()]).toEqual(['code', 'scopes', 'state'])
    expect(back.get('code')).toMatch(/^auth\*0!/)
    expect(back.get('scopes')).toBe('user.info.basic,video.list')
  })

  it('comes back with a denial in its own parameters', async () => {
    const fixture = await tiktok()
    fixture.sandbox.control.changeBehavior('tiktok-business', { consent: 'deny' })

    const back = await callback(fixture, fixture.query())

    expect([...back.keys()]).toEqual(['error', 'error_description', 'error_code', 'state'])
    expect(back.get('error')).toBe('access_denied')
  })
})

describe('tiktok-business exchange', () => {
  it('answers with its envelope', async () => {
    const { exchange } = await tiktok()

    expect(await exchange()).toEqual({
      status: 200,
      body: {
        code: 0,
        message: 'OK',
        request_id: expect.any(String),
        data: {
          access_token: expect.stringMatching(/^act\./),
          expires_in: 86_400,
          open_id: expect.any(String),
          refresh_token: expect.stringMatching(/^rft\./),
          refresh_token_expires_in: 31_536_000,
          scope: 'user.info.basic,video.list',
          token_type: 'Bearer',
        },
      },
    })
  })

  it('works though the user unticks scopes', async () => {
    const { connect, sandbox } = await tiktok()
    sandbox.control.changeBehavior('tiktok-business', { consentWithheldScopes: ['video.list'] })

    expect((await connect()).scope).toBe('user.info.basic')
  })
})

describe('tiktok-business refresh', () => {
  it('does not prolong the year of the refresh token', async () => {
    const { connect, refresh, clock } = await tiktok()
    const first = await connect()
    clock.advance(8_686_000)

    const second = await refresh(first.refresh_token)

    expect(second).toMatchObject({
      status: 200,
      body: {
        code: 0,
        message: 'OK',
        data: { expires_in: 86_400, refresh_token_expires_in: 31_527_314, open_id: first.open_id },
      },
    })
    expect((await refresh(first.refresh_token)).body.code).toBe(40105)
  })
})

describe('tiktok-business revoke', () => {
  it('ends the grant of a living access token', async () => {
    const { connect, post, refresh } = await tiktok()
    const { access_token, refresh_token } = await connect()

    expect(await post('/revoke/', { access_token })).toEqual({
      status: 200,
      body: { code: 0, message: 'OK', request_id: expect.any(String), data: {} },
    })
    expect((await refresh(refresh_token)).body.code).toBe(40105)
  })

  it.each(['an expired access token', 'a refresh token'])('refuses %s', async kind => {
    const { connect, post, clock } = await tiktok()
    const { access_token, refresh_token } = await connect()
    if (kind === 'an expired access token') clock.advance(86_400_000)
    const value = kind === 'a refresh token' ? refresh_token : access_token

    expect(await post('/revoke/', { access_token: value })).toEqual(WRONG_TOKEN)
  })
})

describe('tiktok-business token_info', () => {
  it('says whose the token is', async () => {
    const { connect, tokenInfo } = await tiktok()
    const { access_token, open_id } = await connect()

    expect(await tokenInfo(CLIENT.id, access_token)).toEqual({
      status: 200,
      body: {
        code: 0,
        message: 'OK',
        request_id: expect.any(String),
        data: { app_id: CLIENT.id, creator_id: open_id, scope: 'user.info.basic,video.list' },
      },
    })
  })

  it('refuses a dead token, and one of another app', async () => {
    const { connect, tokenInfo } = await tiktok()
    const { access_token } = await connect()

    expect(await tokenInfo(CLIENT.id, 'act.x')).toEqual(WRONG_TOKEN)
    expect(await tokenInfo('another-app', access_token)).toEqual(WRONG_TOKEN)
  })
})

describe('tiktok-business business/get', () => {
  it('takes the token in a header of its own', async () => {
    const { connect, business } = await tiktok()
    const { access_token, open_id } = await connect()
    const header = { 'access-token': String(access_token) }

    expect(await business(open_id, header, '&fields=["username"]')).toMatchObject({
      status: 200,
      body: { code: 0, data: { username: 'ada_on_tiktok' } },
    })
    expect(await business(open_id, { authorization: `Bearer ${access_token}` })).toEqual(WRONG_TOKEN)
    expect(await business(open_id, { 'access-token': `Bearer ${access_token}` })).toEqual(WRONG_TOKEN)
    expect((await business('another', header)).body.code).toBe(40001)
    expect((await business(open_id, header, '&fields=username')).body.code).toBe(40002)
  })
})
