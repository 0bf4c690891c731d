import { describe, expect, it } from 'vitest'
import { authorizePath, bearer, CLIENT, callback, REDIRECT_URI, start } from './harness.ts'
import { answered } from './json-client.ts'

// The literals are those of developers.tiktok.com, with the lifetimes of November 2026.
const AUTHORIZE = '/tiktok-login/v2/auth/authorize/'
const SCOPE = 'user.info.basic,video.list'

async function tiktok() {
  const fixture = await start({ autoApprove: true })
  const query = (more: Record<string, string> = {}) =>
    authorizePath({ client_id: '', client_key: CLIENT.id, scope: SCOPE, ...more }, AUTHORIZE)
  const send = (path: string, form: Record<string, string>) =>
    answered(
      fixture.post(`/tiktok-login/v2/oauth${path}`, {
        client_key: CLIENT.id,
        client_secret: CLIENT.secret,
        ...form,
      }),
    )
  const exchange = async (more: Record<string, string> = {}, asked: Record<string, string> = {}) =>
    send('/token/', {
      grant_type: 'authorization_code',
      code: (await callback(fixture, query(asked))).get('code') ?? '',
      redirect_uri: REDIRECT_URI,
      ...more,
    })
  const connect = async (asked: Record<string, string> = {}) =>
    (await exchange({}, asked)).body as Record<string, string>
  const refresh = (token = '') => send('/token/', { grant_type: 'refresh_token', refresh_token: token })
  const userInfo = (token = '', fields = 'open_id') =>
    answered(fixture.get(`/tiktok-login/v2/user/info/?fields=${fields}`, bearer(token)))
  return { ...fixture, query, send, exchange, connect, refresh, userInfo }
}

function failure(error: string, error_description: unknown = expect.any(String)) {
  return { status: 400, body: { error, error_description, log_id: expect.any(String) } }
}

const INVALID_GRANT = failure('invalid_grant')
const MALFORMED = failure('invalid_request', 'The request parameters are malformed.')

describe('tiktok-login refusals', () => {
  it('of another redirect_uri', async () => {
    const { exchange } = await tiktok()

    expect(await exchange({ redirect_uri: `${REDIRECT_URI}/` })).toEqual(
      failure('invalid_request', 'Redirect_uri is not matched with the uri when requesting code.'),
    )
  })

  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, failure('invalid_client')],
    ['client_id instead of client_key', { client_key: '', client_id: CLIENT.id }, MALFORMED],
    ['a missing code', { code: '' }, MALFORMED],
    ['a bad code', { code: 'x' }, INVALID_GRANT],
    ['an unknown grant type', { grant_type: 'password' }, failure('unsupported_grant_type')],
  ])('of %s', async (_, form, refusal) => {
    const { exchange } = await tiktok()

    expect(await exchange(form)).toEqual(refusal)
  })

  it('of a dead refresh token, also with status 200', async () => {
    const { refresh, sandbox } = await tiktok()
    expect(await refresh('rft.x')).toEqual(INVALID_GRANT)

    sandbox.control.addFault({ operation: 'refresh', answer: 'error_in_200' })

    expect(await refresh('rft.x')).toEqual({ ...INVALID_GRANT, status: 200 })
  })

  it('of JSON', async () => {
    const { origin } = await tiktok()
    const headers = { 'content-type': 'application/json' }
    const url = `${origin}/tiktok-login/v2/oauth/token/`

    expect(await answered(fetch(url, { method: 'POST', headers, body: '{}' }))).toEqual(MALFORMED)
  })

  it('with 429', async () => {
    const { refresh, sandbox } = await tiktok()
    sandbox.control.addFault({ operation: 'refresh', answer: 'status', status: 429 })

    expect(await refresh('x')).toMatchObject({ status: 429, body: { error: 'rate_limit_exceeded' } })
  })
})

describe('tiktok-login authorize', () => {
  it.each([
    ['a redirect_uri with a query', { redirect_uri: `${REDIRECT_URI}?a=b` }],
    ['a redirect_uri of 512 characters', { redirect_uri: `${REDIRECT_URI}/`.padEnd(512, 'x') }],
    ['scopes that are separated by spaces', { scope: 'user.info.basic video.list' }],
    ['client_id instead of client_key', { client_key: '', client_id: CLIENT.id }],
  ])('tells the user, not the client, of %s', async (_, more) => {
    const { get, query } = await tiktok()

    const answer = await get(query(more))

    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })

  it('takes a redirect_uri of 511 characters', async () => {
    const { get, query } = await tiktok()

    expect((await get(query({ redirect_uri: `${REDIRECT_URI}/`.padEnd(511, 'x') }))).status).toBe(302)
  })

  it('comes back with code, scopes and state', async () => {
    const fixture = await tiktok()

    const back = await callback(fixture, fixture.query({ code_challenge: 'ignored' }))

    expect([...back.keys()]).toEqual(['code', 'scopes', 'state'])
    expect(back.get('scopes')).toBe(SCOPE)
  })
})

describe('tiktok-login exchange', () => {
  it('answers with its own fields', async () => {
    const { exchange } = await tiktok()

    expect(await exchange()).toEqual({
      status: 200,
      body: {
        access_token: expect.stringMatching(/^act\./),
        expires_in: 7_200,
        open_id: 'afd97af1-b87b-48b9-ac98-410aa0da5344',
        refresh_expires_in: 15_552_000,
        refresh_token: expect.stringMatching(/^rft\./),
        scope: SCOPE,
        token_type: 'Bearer',
      },
    })
  })
})

describe('tiktok-login refresh', () => {
  it('rotates strictly, and the 180 days go on', async () => {
    const { connect, refresh, clock } = await tiktok()
    const first = await connect()
    clock.advance(7_200_000)

    const second = await refresh(first.refresh_token)

    expect(second).toMatchObject({ status: 200, body: { expires_in: 7_200, refresh_expires_in: 15_544_800 } })
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    expect(await refresh(first.refresh_token)).toEqual(INVALID_GRANT)
    expect((await refresh(String(second.body.refresh_token))).status).toBe(200)
  })
})

describe('tiktok-login revoke', () => {
  it('disconnects the app from the account, with every grant', async () => {
    const { connect, send, refresh } = await tiktok()
    const [first, second] = [await connect(), await connect()]

    expect(await send('/revoke/', { token: first.access_token ?? '' })).toEqual({ status: 200, body: {} })
    expect(await refresh(second.refresh_token)).toEqual(INVALID_GRANT)
  })

  it('needs a living access token', async () => {
    const { connect, send, clock } = await tiktok()
    const { access_token = '', refresh_token = '' } = await connect()

    expect(await send('/revoke/', { token: refresh_token })).toEqual(INVALID_GRANT)
    clock.advance(7_200_000)
    expect(await send('/revoke/', { token: access_token })).toEqual(INVALID_GRANT)
  })
})

describe('tiktok-login user/info', () => {
  it('answers the fields that were asked for', async () => {
    const { connect, userInfo } = await tiktok()
    const { access_token, open_id } = await connect()

    expect(await userInfo(access_token, 'open_id,display_name')).toEqual({
      status: 200,
      body: {
        data: { user: { open_id, display_name: 'Ada' } },
        error: { code: 'ok', message: '', log_id: expect.any(String) },
      },
    })
  })

  it.each([
    ['a dead token', 'x', 'open_id', 401, 'access_token_invalid'],
    ['no fields', undefined, '', 400, 'invalid_params'],
    ['a field that there is not', undefined, 'email', 400, 'invalid_params'],
  ])('refuses %s', async (_, token, fields, status, code) => {
    const { connect, userInfo } = await tiktok()
    const { access_token } = await connect()

    expect(await userInfo(token ?? access_token, fields)).toMatchObject({ status, body: { error: { code } } })
  })

  it('refuses a token without user.info.basic', async () => {
    const { connect, userInfo } = await tiktok()
    const { access_token } = await connect({ scope: 'video.list' })

    expect(await userInfo(access_token)).toMatchObject({
      status: 401,
      body: { error: { code: 'scope_not_authorized' } },
    })
  })
})
