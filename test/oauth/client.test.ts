import { describe, expect, it } from 'vitest'
import { HttpError } from '../../src/egress/http.ts'
import { Secret } from '../../src/secret.ts'
import { client, NOW, plain } from './client-under-test.ts'

const tokens = {
  access_token: 'at',
  refresh_token: 'rt',
  expires_in: 3600,
  token_type: 'bearer',
  scope: 'a b',
}
const refreshInput = { refreshToken: new Secret('old'), scopes: [], variables: {} }

describe('exchange()', () => {
  it('sends what RFC 6749 says, authenticated by form-encoded Basic', async () => {
    const { http, exchange } = client(plain, () => ({ status: 200, body: tokens }))
    const code = new Secret('c/ode')
    const codeVerifier = new Secret('verifier')
    await exchange({ code, codeVerifier, redirectUri: 'https://broker.example/cb', variables: {} })
    expect(http.sent).toEqual([
      {
        method: 'POST',
        url: 'https://as.example/token',
        headers: {
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${Buffer.from('the+client:s%3Acret').toString('base64')}`,
        },
        body: 'grant_type=authorization_code&code=c%2Fode&redirect_uri=https%3A%2F%2Fbroker.example%2Fcb&code_verifier=verifier',
      },
    ])
  })

  it('renames, drops, adds and keeps JSON types', async () => {
    const definition = {
      client_auth: 'body',
      operations: {
        exchange: {
          url: 'https://as.example/token',
          encoding: 'json',
          names: { code: 'auth_code', client_id: 'client_key', redirect_uri: null },
          params: { short_lived: false },
        },
      },
    }
    const { http, exchange } = client(definition, () => ({ status: 200, body: tokens }))
    await exchange({ code: new Secret('c'), redirectUri: 'https://broker.example/cb', variables: {} })
    expect(JSON.parse(http.sent[0]?.body ?? '')).toEqual({
      grant_type: 'authorization_code',
      auth_code: 'c',
      client_key: 'the client',
      client_secret: 's:cret',
      short_lived: false,
    })
  })
})

describe('refresh()', () => {
  it.each([
    ['a null expiry', { ...tokens, expires_in: null }],
    ['an expiry as text', { ...tokens, expires_in: '3600' }],
    ['no token type', { ...tokens, token_type: undefined }],
    ['scopes as an array', { ...tokens, scope: ['a', 'b'] }],
    ['a negative expiry', { ...tokens, expires_in: -1 }],
    ['a form instead of JSON', 'access_token=at&refresh_token=rt'],
  ])('keeps the rotated refresh token of an answer with %s', async (_, body) => {
    const { refresh } = client(plain, () => ({ status: 200, body }))
    const result = await refresh(refreshInput)
    expect(result.ok && result.value.refreshToken?.expose()).toBe('rt')
    expect(result.ok && result.value.accessToken.expose()).toBe('at')
  })

  it('takes control characters out of scopes, as out of every other text', async () => {
    const scope = ['a\u001b[2J', '\u0000', 'b']
    const { refresh } = client(plain, () => ({ status: 200, body: { ...tokens, scope } }))
    expect(await refresh(refreshInput)).toMatchObject({ ok: true, value: { scopes: ['a[2J', 'b'] } })
  })

  it('counts the lifetime from sending', async () => {
    const { refresh } = client(plain, () => ({ status: 200, body: tokens }))
    const result = await refresh(refreshInput)
    expect(result).toMatchObject({ ok: true, value: { expiresAt: NOW + 3_600_000, expiry: 'STATED' } })
  })

  it.each([
    ['unix', NOW / 1000 + 60, NOW + 60_000],
    ['unix', NOW / 1000 - 60, undefined],
    ['unix', 1, undefined],
    ['iso8601', new Date(NOW + 60_000).toISOString(), NOW + 60_000],
    ['iso8601', new Date(NOW - 60_000).toISOString(), undefined],
    // What some languages write for "never".
    ['iso8601', '0001-01-01T00:00:00Z', undefined],
    ['iso8601', 'tomorrow', undefined],
  ])('reads an end as %s: %s', async (as, expires_at, expiresAt) => {
    const definition = { ...plain, answer: { expires: { at: '/expires_at', as } } }
    const { refresh } = client(definition, () => ({ status: 200, body: { ...tokens, expires_at } }))
    const result = await refresh(refreshInput)
    expect(result.ok && result.value.expiresAt).toBe(expiresAt)
    expect(result.ok && result.value.expiry).toBe(expiresAt === undefined ? 'UNKNOWN' : 'STATED')
  })

  it.each([
    ['tiktok-login', { ...tokens, error: { code: 'ok', message: '' } }],
    ['tiktok-business', { code: '0', message: 'OK', data: tokens }],
    ['square', { ...tokens, errors: [] }],
  ])(
    'keeps the refresh token of an answer of %s that its rules call a failure for no reason',
    async (id, body) => {
      const result = await client(id, () => ({ status: 200, body })).refresh(refreshInput)
      expect(result.ok || result.failure.class).toBe('retry')
      expect(result.ok || result.failure.refreshToken?.expose()).toBe('rt')
    },
  )

  it('takes no refresh token from an answer that says what failed', async () => {
    const body = { ...tokens, error: 'invalid_grant' }
    const result = await client('tiktok-login', () => ({ status: 200, body })).refresh(refreshInput)
    expect(result.ok || result.failure.class).toBe('reauthorize')
    expect(result.ok || result.failure.refreshToken).toBeUndefined()
  })

  it('asks for client credentials where the definition says so', async () => {
    const definition = { ...plain, refresh: { mode: 'client_credentials' } }
    const { http, refresh } = client(definition, () => ({ status: 200, body: tokens }))
    await refresh({ scopes: ['a', 'b'], variables: {} })
    expect(http.sent[0]?.body).toBe('grant_type=client_credentials&scope=a+b')
  })

  it.each([
    ['a 503 whose body lies', { status: 503, body: { error: 'invalid_grant' } }, 'retry', true],
    ['a dead grant', { status: 400, body: { error: 'invalid_grant' } }, 'reauthorize', false],
    ['a dead grant in a 200', { status: 200, body: { error: 'invalid_grant' } }, 'reauthorize', false],
    ['a wrong secret', { status: 401, body: { error: 'invalid_client' } }, 'client', false],
    ['a bare 401', { status: 401 }, 'client', false],
    ['a redirect', { status: 307 }, 'client', false],
    ['a wrong path', { status: 404, body: '<html>' }, 'client', false],
    ['refused scopes', { status: 400, body: { error: 'invalid_scope' } }, 'connection', false],
    ['a limit', { status: 429 }, 'rate_limited', false],
    ['a firewall', { status: 403, body: '<html>' }, 'retry', false],
    ['HTML with 200', { status: 200, body: '<html>' }, 'retry', true],
    ['an empty 200', { status: 200 }, 'retry', true],
    ['half an answer', { status: 200, body: '{"access_token":"a' }, 'retry', true],
    ['an unknown code', { status: 400, body: { error: 'whatever' } }, 'retry', false],
    ['nobody there', new HttpError('not_sent', 'x'), 'not_sent', false],
    ['a lost answer', new HttpError('no_answer', 'x'), 'retry', true],
  ])('classifies %s', async (_, answer, expected, outcomeUnknown) => {
    const result = await client(plain, () => answer).refresh(refreshInput)
    expect(result).toMatchObject({ ok: false, failure: { class: expected, outcomeUnknown } })
  })

  it('fails without a word of the request where it cannot be made', async () => {
    const result = await client(plain, () => new TypeError('canary')).refresh(refreshInput)
    expect(result).toMatchObject({ ok: false, failure: { class: 'retry', outcomeUnknown: true } })
    expect(JSON.stringify(result)).not.toContain('canary')
  })

  it('follows the rules of the definition in their order before the standard', async () => {
    const rule = (code: number, verdict: string) => ({ http: 401, at: '/code', equals: code, class: verdict })
    const definition = { ...plain, errors: [rule(283, 'reauthorize'), rule(2, 'client')] }
    const body = { code: 283, error: 'invalid_client', message: 'canary' }
    const result = await client(definition, () => ({ status: 401, body })).refresh(refreshInput)
    expect(result).toMatchObject({ failure: { class: 'reauthorize', providerCode: '283' } })
    expect(JSON.stringify(result)).not.toContain('canary')
  })

  it('tries the other client secret of a rotation, and keeps to the one that works', async () => {
    const clientSecrets = [new Secret('old'), new Secret('new')]
    const good = `Basic ${Buffer.from('the+client:new').toString('base64')}`
    const rotating = client(
      plain,
      ({ headers }) =>
        headers.authorization === good
          ? { status: 200, body: tokens }
          : { status: 401, body: { error: 'invalid_client' } },
      { clientSecrets },
    )
    expect((await rotating.refresh(refreshInput)).ok).toBe(true)
    expect((await rotating.refresh(refreshInput)).ok).toBe(true)
    expect(rotating.http.sent).toHaveLength(3)
  })

  it('tries each secret, though another request finds out first which one works', async () => {
    const clientSecrets = [new Secret('old'), new Secret('new')]
    const good = `Basic ${Buffer.from('the+client:new').toString('base64')}`
    const refused = { status: 401, body: { error: 'invalid_client' } }
    const late = Promise.withResolvers<typeof refused>()
    const firstAnswers = [late.promise, Promise.resolve(refused)]
    const rotating = client(
      plain,
      async ({ headers }) =>
        headers.authorization === good
          ? { status: 200, body: tokens }
          : ((await firstAnswers.shift()) ?? refused),
      { clientSecrets },
    )
    const overtaken = rotating.refresh(refreshInput)
    expect((await rotating.refresh(refreshInput)).ok).toBe(true)
    late.resolve(refused)
    expect((await overtaken).ok).toBe(true)
    expect(rotating.http.sent).toHaveLength(4)
  })

  it('tries the other client secret where the refusal may be about either', async () => {
    const clientSecrets = [new Secret('old'), new Secret('new')]
    const refused = { status: 401, body: { message: 'Not Authorized', type: 'service.not_authorized' } }
    const rotating = client(
      'square',
      ({ body }) =>
        JSON.parse(body).client_secret === 'new' ? { status: 200, body: { access_token: 'at' } } : refused,
      { clientSecrets },
    )
    expect((await rotating.refresh(refreshInput)).ok).toBe(true)
    expect(rotating.http.sent).toHaveLength(2)
  })

  it('does not take a secret for the right one because nobody answered to it', async () => {
    const clientSecrets = [new Secret('right'), new Secret('wrong')]
    const refused = { status: 401, body: { message: 'Not Authorized', type: 'service.not_authorized' } }
    const answers = [refused, new HttpError('not_sent', 'x')]
    const { refresh, secretInUse } = client('square', () => answers.shift() ?? refused, { clientSecrets })
    await refresh(refreshInput)
    expect(secretInUse()?.expose()).toBe('right')
  })

  it('does not send a refused grant again with another secret', async () => {
    const clientSecrets = [new Secret('old'), new Secret('new')]
    const refused = { status: 400, body: { error: 'invalid_grant' } }
    const rotating = client(plain, () => refused, { clientSecrets })
    await rotating.refresh(refreshInput)
    expect(rotating.http.sent).toHaveLength(1)
  })

  it('reads Retry-After as seconds or date, within limits', async () => {
    const wait = async (header: string) => {
      const limited = { status: 429, headers: { 'retry-after': header } }
      const result = await client(plain, () => limited).refresh(refreshInput)
      return result.ok ? undefined : result.failure.retryAfterMs
    }
    expect(await wait('30')).toBe(30_000)
    expect(await wait(new Date(NOW + 90_000).toUTCString())).toBe(90_000)
    expect(await wait('999999')).toBe(3_600_000)
    expect(await wait('soon')).toBeUndefined()
  })
})

describe('revoke()', () => {
  it('sends token and hint (RFC 7009) and takes any 2xx', async () => {
    const { http, revoke } = client(plain, () => ({ status: 200 }))
    const result = await revoke({ token: new Secret('rt'), hint: 'refresh_token', variables: {} })
    expect(result.ok).toBe(true)
    expect(http.sent[0]?.body).toBe('token=rt&token_type_hint=refresh_token')
  })

  it('is unsupported without an operation', async () => {
    const { revoke } = client({ token_url: 'https://as.example/token' }, () => ({ status: 200 }))
    const result = await revoke({ token: new Secret('rt'), hint: 'refresh_token', variables: {} })
    expect(result).toMatchObject({ ok: false, failure: { class: 'unsupported' } })
  })
})

describe('verify()', () => {
  it('presents the token as callers do and reads what is yielded', async () => {
    const { http, verify } = client('pinterest', () => ({ status: 200, body: { id: '27', username: 'me' } }))
    const result = await verify({ accessToken: new Secret('at'), variables: {} })
    expect(http.sent[0]).toMatchObject({
      method: 'GET',
      url: 'https://api.pinterest.com/v5/user_account',
      headers: { authorization: 'Bearer at' },
    })
    expect(result).toMatchObject({ value: { providerAccountId: '27', providerAccountName: 'me' } })
  })

  it('sends no client credentials and no client id', async () => {
    const { http, verify } = client('pinterest', () => ({ status: 401 }))
    const result = await verify({ accessToken: new Secret('at'), variables: {} })
    expect(JSON.stringify(http.sent)).not.toContain('client')
    expect(result).toMatchObject({ failure: { class: 'reauthorize' } })
  })
})
