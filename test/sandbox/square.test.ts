import { describe, expect, it } from 'vitest'
import {
  authorizePath,
  bearer,
  CHALLENGE,
  CLIENT,
  callback,
  locationOf,
  REDIRECT_URI,
  start,
  VERIFIER,
} from './harness.ts'
import { answered, postJson } from './json-client.ts'

// The literals are those of Square's API specification, its documentation and its forum.
const AUTHORIZE = '/square/oauth2/authorize'
const DAY_MS = 24 * 3_600_000
const NOT_AUTHORIZED = { status: 401, body: { message: 'Not Authorized', type: 'service.not_authorized' } }
const CODE_NOT_FOUND = {
  status: 401,
  body: { message: 'Authorization code not found for app [sandbox-client]', type: 'service.not_authorized' },
}
const UNAUTHORIZED = {
  status: 401,
  body: {
    errors: [
      {
        category: 'AUTHENTICATION_ERROR',
        code: 'UNAUTHORIZED',
        detail: 'This request could not be authorized.',
      },
    ],
  },
}
const SCOPE = 'MERCHANT_PROFILE_READ PAYMENTS_READ'

async function square() {
  const fixture = await start({ autoApprove: true })
  const query = (more: Record<string, string> = {}) =>
    authorizePath({ response_type: '', session: 'false', scope: SCOPE, ...more }, AUTHORIZE)
  const token = (body: Record<string, unknown>) =>
    postJson(`${fixture.origin}/square/oauth2/token`, {
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      ...body,
    })
  const exchange = async (more: Record<string, unknown> = {}, asked: Record<string, string> = {}) =>
    token({
      grant_type: 'authorization_code',
      code: (await callback(fixture, query(asked))).get('code'),
      redirect_uri: REDIRECT_URI,
      ...more,
    })
  const connect = async () => (await exchange()).body as Record<string, string>
  const refresh = (value: unknown, more: Record<string, unknown> = {}) =>
    token({ grant_type: 'refresh_token', refresh_token: value, ...more })
  const revoke = (body: Record<string, unknown>, authorization = `Client ${CLIENT.secret}`) =>
    postJson(`${fixture.origin}/square/oauth2/revoke`, { client_id: CLIENT.id, ...body }, { authorization })
  const status = (value = '') => answered(fixture.post('/square/oauth2/token/status', {}, bearer(value)))
  const merchant = (value = '') => answered(fixture.get('/square/v2/merchants/me', bearer(value)))
  return { ...fixture, query, token, exchange, connect, refresh, revoke, status, merchant }
}

function apiError(category: string, code: string) {
  return { errors: [{ category, code, detail: expect.any(String) }] }
}

const BAD_REQUEST = { status: 400, body: apiError('INVALID_REQUEST_ERROR', 'BAD_REQUEST') }

describe('square refusals', () => {
  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, NOT_AUTHORIZED],
    ['a bad code', { code: 'x' }, CODE_NOT_FOUND],
    ['another redirect_uri', { redirect_uri: undefined }, CODE_NOT_FOUND],
    ['a missing code', { code: undefined }, BAD_REQUEST],
    ['an unknown grant type', { grant_type: 'password' }, BAD_REQUEST],
    ['a short_lived in quotes', { short_lived: 'true' }, BAD_REQUEST],
  ])('of %s', async (_, body, refusal) => {
    const { exchange } = await square()

    expect(await exchange(body)).toEqual(refusal)
  })

  it('of a code after five minutes', async () => {
    const fixture = await square()
    const code = (await callback(fixture, fixture.query())).get('code')
    fixture.clock.advance(5 * 60_000)

    expect(await fixture.exchange({ code })).toEqual(CODE_NOT_FOUND)
  })

  it('of a dead refresh token are those of a wrong secret', async () => {
    const { refresh } = await square()

    expect(await refresh('EQAAx')).toEqual(NOT_AUTHORIZED)
  })

  it('of a form', async () => {
    const { post } = await square()

    expect(await answered(post('/square/oauth2/token', { client_id: CLIENT.id }))).toEqual(BAD_REQUEST)
  })

  it.each([
    [429, 'RATE_LIMIT_ERROR', 'RATE_LIMITED'],
    [503, 'API_ERROR', 'SERVICE_UNAVAILABLE'],
    [504, 'API_ERROR', 'GATEWAY_TIMEOUT'],
    [500, 'API_ERROR', 'INTERNAL_SERVER_ERROR'],
  ])('with %d', async (code, category, name) => {
    const { refresh, sandbox } = await square()
    sandbox.control.addFault({ operation: 'refresh', answer: 'status', status: code })

    expect(await refresh('x')).toEqual({ status: code, body: apiError(category, name) })
  })
})

describe('square authorize', () => {
  it('comes back with response_type and a fragment', async () => {
    const { get, query } = await square()

    const consent = locationOf(await get(query()))
    const back = locationOf(await get(consent.href))

    expect([...back.searchParams.keys()]).toEqual(['code', 'response_type', 'state'])
    expect(back.searchParams.get('code')).toMatch(/^sq0cgp-/)
    expect(back.searchParams.get('response_type')).toBe('code')
    expect(back.hash).toBe('#_=_')
  })

  it('comes back with a denial', async () => {
    const fixture = await square()
    fixture.sandbox.control.changeBehavior('square', { consent: 'deny' })

    const back = await callback(fixture, fixture.query())

    expect(`${back}`).toBe('error=access_denied&error_description=user_denied&state=state-1')
  })

  it('refuses scopes that are separated by commas', async () => {
    const fixture = await square()

    const back = await callback(fixture, fixture.query({ scope: 'PAYMENTS_READ,ORDERS_READ' }))

    expect(back.get('error')).toBe('invalid_scope')
  })
})

describe('square exchange', () => {
  it('answers with its own fields', async () => {
    const { exchange } = await square()

    expect(await exchange()).toEqual({
      status: 200,
      body: {
        access_token: expect.stringMatching(/^EAAA/),
        token_type: 'bearer',
        expires_at: '2026-01-31T00:00:00Z',
        merchant_id: 'MLQW2MYBY81PZ',
        refresh_token: expect.stringMatching(/^EQAA/),
        short_lived: false,
      },
    })
  })

  it('makes short-lived tokens', async () => {
    const { exchange } = await square()

    expect((await exchange({ short_lived: true })).body).toMatchObject({
      expires_at: '2026-01-02T00:00:00Z',
      short_lived: true,
    })
  })

  it('yields the same refresh token for every consent of a seller', async () => {
    const { connect, sandbox, refresh, status } = await square()
    const first = await connect()
    sandbox.control.changeBehavior('square', { consentWithheldScopes: ['PAYMENTS_READ'] })

    const second = await connect()

    expect(second.refresh_token).toBe(first.refresh_token)
    expect(second.access_token).not.toBe(first.access_token)
    const { body } = await refresh(first.refresh_token)
    expect((await status(String(body.access_token))).body.scopes).toEqual(['MERCHANT_PROFILE_READ'])
  })

  it('does not share between sellers, nor after a revocation', async () => {
    const { connect, sandbox, revoke } = await square()
    const ada = await connect()
    sandbox.control.changeBehavior('square', { consentAccountId: 'MLQW2MYBY81Q0' })
    const ben = await connect()
    await revoke({ merchant_id: ben.merchant_id })

    const again = await connect()

    expect(new Set([ada, ben, again].map(({ refresh_token }) => refresh_token)).size).toBe(3)
  })
})

describe('square refresh', () => {
  it('answers the same refresh token, for ever, and the old access token works on', async () => {
    const { connect, refresh, status, clock } = await square()
    const first = await connect()
    clock.advance(29 * DAY_MS)

    const second = await refresh(first.refresh_token)

    expect(second).toMatchObject({ status: 200, body: { refresh_token: first.refresh_token } })
    expect(second.body).not.toHaveProperty('refresh_token_expires_at')
    expect((await status(first.access_token)).status).toBe(200)
    clock.advance(3_000 * DAY_MS)
    expect((await refresh(first.refresh_token)).status).toBe(200)
  })

  it('narrows to scopes', async () => {
    const { connect, refresh, status } = await square()
    const { refresh_token } = await connect()

    const narrow = await refresh(refresh_token, { scopes: ['PAYMENTS_READ'] })

    expect((await status(String(narrow.body.access_token))).body.scopes).toEqual(['PAYMENTS_READ'])
    expect(await refresh(refresh_token, { scopes: ['ORDERS_READ'] })).toEqual({
      status: 403,
      body: apiError('AUTHENTICATION_ERROR', 'INSUFFICIENT_SCOPES'),
    })
    expect(await refresh(refresh_token, { scopes: 'PAYMENTS_READ' })).toEqual(BAD_REQUEST)
  })

  it('trades a renew-era access token while it lives', async () => {
    const { connect, token, clock } = await square()
    const { access_token, refresh_token } = await connect()
    const migrate = { grant_type: 'migration_token', migration_token: access_token }

    expect(await token(migrate)).toMatchObject({ status: 200, body: { refresh_token } })
    expect((await token(migrate)).status).toBe(200)
    clock.advance(30 * DAY_MS)
    expect(await token(migrate)).toEqual(NOT_AUTHORIZED)
  })
})

describe('square with a code_challenge', () => {
  it('needs the verifier', async () => {
    const { exchange } = await square()

    expect(await exchange({}, { code_challenge: CHALLENGE })).toEqual(CODE_NOT_FOUND)
  })

  it('has refresh tokens that work once, for 90 days', async () => {
    const { exchange, connect, refresh, clock } = await square()
    const shared = await connect()

    const { body } = await exchange({ code_verifier: VERIFIER }, { code_challenge: CHALLENGE })

    expect(body.refresh_token_expires_at).toBe('2026-04-01T00:00:00Z')
    expect(body.refresh_token).not.toBe(shared.refresh_token)
    clock.advance(DAY_MS)
    const next = await refresh(body.refresh_token)
    expect(next).toMatchObject({ status: 200, body: { refresh_token_expires_at: '2026-04-02T00:00:00Z' } })
    expect(next.body.refresh_token).not.toBe(body.refresh_token)
    expect(await refresh(body.refresh_token)).toEqual(NOT_AUTHORIZED)
    expect((await connect()).refresh_token).toBe(shared.refresh_token)
  })

  it('is for clients without a secret', async () => {
    const { sandbox, exchange } = await square()
    sandbox.control.registerClient({ clientId: 'public', clientSecret: null })

    const answer = await exchange(
      { client_id: 'public', client_secret: undefined, code_verifier: VERIFIER },
      { client_id: 'public', code_challenge: CHALLENGE },
    )

    expect(answer.status).toBe(200)
  })
})

describe('square revoke', () => {
  it.each(['access_token', 'merchant_id'])('by %s ends all tokens of the seller', async name => {
    const { connect, revoke, refresh, status } = await square()
    const [first, second] = [await connect(), await connect()]

    expect(await revoke({ [name]: second[name] })).toEqual({ status: 200, body: { success: true } })
    expect(await refresh(first.refresh_token)).toEqual(NOT_AUTHORIZED)
    expect(await status(first.access_token)).toEqual(UNAUTHORIZED)
  })

  it('ends one access token if asked', async () => {
    const { connect, revoke, refresh, status } = await square()
    const { access_token, refresh_token } = await connect()

    expect((await revoke({ access_token, revoke_only_access_token: true })).status).toBe(200)
    expect(await status(access_token)).toEqual(UNAUTHORIZED)
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  it.each([`Bearer ${CLIENT.secret}`, 'Client wrong', CLIENT.secret])('refuses %j', async authorization => {
    const { connect, revoke, status } = await square()
    const { access_token } = await connect()

    expect(await revoke({ access_token }, authorization)).toEqual(UNAUTHORIZED)
    expect((await status(access_token)).status).toBe(200)
  })

  it.each([
    ['neither', {}, BAD_REQUEST],
    ['both', { access_token: 'x', merchant_id: 'x' }, BAD_REQUEST],
    [
      'only the access token of a merchant',
      { merchant_id: 'x', revoke_only_access_token: true },
      BAD_REQUEST,
    ],
    ['an unknown access token', { access_token: 'x' }, UNAUTHORIZED],
    ['only an unknown access token', { access_token: 'x', revoke_only_access_token: true }, UNAUTHORIZED],
  ])('refuses %s', async (_, body, refusal) => {
    const { revoke } = await square()

    expect(await revoke(body)).toEqual(refusal)
  })
})

describe('square token/status', () => {
  it('says scopes, expiry and seller', async () => {
    const { connect, status } = await square()
    const { access_token } = await connect()

    expect(await status(access_token)).toEqual({
      status: 200,
      body: {
        client_id: CLIENT.id,
        expires_at: '2026-01-31T00:00:00Z',
        merchant_id: 'MLQW2MYBY81PZ',
        scopes: SCOPE.split(' '),
      },
    })
    expect(await status('EAAAx')).toEqual(UNAUTHORIZED)
  })
})

describe('square merchants/me', () => {
  it('names the seller', async () => {
    const { connect, merchant } = await square()
    const { access_token, merchant_id } = await connect()

    expect(await merchant(access_token)).toMatchObject({
      status: 200,
      body: { merchant: { id: merchant_id, business_name: 'Ada Coffee' } },
    })
  })

  it('says why a token is refused', async () => {
    const { connect, merchant, revoke, exchange, clock } = await square()
    const { access_token } = await connect()
    const narrow = await exchange({}, { scope: 'PAYMENTS_READ' })

    expect(await merchant('EAAAx')).toEqual(UNAUTHORIZED)
    expect(await merchant(String(narrow.body.access_token))).toMatchObject({
      status: 403,
      body: {
        errors: [
          {
            code: 'INSUFFICIENT_SCOPES',
            detail:
              'The merchant has not given your application sufficient permissions to do that. The merchant must authorize your application for the following scopes: MERCHANT_PROFILE_READ',
          },
        ],
      },
    })
    clock.advance(30 * DAY_MS)
    expect(await merchant(access_token)).toMatchObject({
      status: 401,
      body: apiError('AUTHENTICATION_ERROR', 'ACCESS_TOKEN_EXPIRED'),
    })
    await revoke({ merchant_id: 'MLQW2MYBY81PZ' })
    expect(await merchant(access_token)).toMatchObject({
      status: 401,
      body: apiError('AUTHENTICATION_ERROR', 'ACCESS_TOKEN_REVOKED'),
    })
  })
})
