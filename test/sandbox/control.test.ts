import { describe, expect, it } from 'vitest'
import { bearer, type Fixture, START, start } from './harness.ts'

/** The control API as a test in any language calls it. */
function caller({ origin }: Fixture) {
  return async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${origin}/_sandbox${path}`, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
}

async function controlled(options: Parameters<typeof start>[0] = {}) {
  const fixture = await start(options)
  return { ...fixture, call: caller(fixture) }
}

describe('control API refusals', () => {
  it.each([
    ['a page of another site', { origin: 'https://evil.example' }],
    ['a page whose browser hides where it is', { origin: 'null' }],
    ['a link on a page', { 'sec-fetch-site': 'cross-site' }],
  ])('of %s', async (_, headers) => {
    const { call, connect, sandbox } = await controlled({ autoApprove: true })
    await connect()

    expect(await call('POST', '/reset', undefined, { ...headers })).toMatchObject({
      status: 403,
      body: { error: 'forbidden' },
    })
    expect(sandbox.control.listGrants()).toHaveLength(1)
  })

  it.each([
    [
      'an unknown field',
      'POST',
      '/faults',
      { operation: 'refresh', sleep: 1 },
      400,
      'Unrecognized key: "sleep"',
    ],
    ['our spelling', 'POST', '/faults', { operation: 'refresh', delayBeforeMs: 1 }, 400, 'snake_case'],
    [
      'a bad value',
      'POST',
      '/faults',
      { operation: 'refresh', delay_before_ms: -1 },
      400,
      'delay_before_ms: ',
    ],
    ['an unknown behaviour', 'PATCH', '/behavior/oauth2', { replay: 'sometimes' }, 400, 'replay: '],
    [
      'a bad redirect URI',
      'POST',
      '/clients',
      client('javascript:alert(1)'),
      400,
      'redirect_uris.0: expected an http',
    ],
    ['an unknown filter', 'GET', '/tokens?client=x', undefined, 400, 'Unrecognized key: "client"'],
    ['an unknown scope', 'POST', '/grants', { dialect: 'pinterest', scopes: ['x'] }, 400, 'scopes: '],
    [
      'an unknown dialect',
      'GET',
      '/behavior/acme',
      undefined,
      404,
      'no dialect "acme"; there are oauth2, pinterest',
    ],
    ['a dialect to count', 'GET', '/requests?dialect=acme', undefined, 404, 'no dialect "acme"'],
    ['an unknown account', 'POST', '/grants', { dialect: 'oauth2', account_id: 'x' }, 404, 'no account "x"'],
    ['an unknown client', 'POST', '/grants', { dialect: 'oauth2', client_id: 'x' }, 404, 'no client "x"'],
    ['an unknown fault', 'DELETE', '/faults/fault-9', undefined, 404, 'no fault "fault-9"'],
  ])('of %s', async (_, method, path, body, status, message) => {
    const { call } = await controlled()

    const answer = await call(method, path, body)

    expect(answer.status).toBe(status)
    expect(answer.body.message).toContain(message)
  })

  it.each([
    ['that does not parse', 'application/json', '{"operation":'],
    ['that is no object', 'application/json', '[]'],
    ['of another type', 'text/plain', '{"operation":"refresh"}'],
  ])('of a body %s', async (_, type, body) => {
    const { origin } = await start()

    const answer = await fetch(`${origin}/_sandbox/faults`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })

    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining('must be a JSON object') })
  })
})

function client(redirectUri: string): object {
  return { client_id: 'x', client_secret: 'x', redirect_uris: [redirectUri] }
}

describe('control API', () => {
  it('says where everything is', async () => {
    const { call, origin } = await controlled()

    expect((await call('GET', '/')).body).toMatchObject({
      client_id: 'sandbox-client',
      client_secret: 'sandbox-secret',
      dialects: [
        { id: 'oauth2', endpoints_base: `${origin}/oauth2` },
        { id: 'pinterest', authorize: 'GET /pinterest/oauth/' },
        { id: 'tiktok-business' },
        { id: 'tiktok-login' },
        { id: 'square' },
      ],
    })
  })

  it('switches faults on and off', async () => {
    const { call, get } = await controlled()
    const fault = { operation: 'api', answer: 'status', status: 429, retry_after: 3 }
    expect(await call('POST', '/faults', fault)).toMatchObject({
      status: 201,
      body: { ...fault, id: 'fault-1', retry_after: '3', left: null },
    })
    expect((await get('/oauth2/api/me')).status).toBe(429)

    await call('DELETE', '/faults/fault-1')
    await call('POST', '/faults', fault)
    await call('POST', '/faults', fault)
    expect((await call('GET', '/faults')).body.total).toBe(2)
    await call('DELETE', '/faults')

    expect((await call('GET', '/faults')).body).toEqual({ total: 0, faults: [] })
  })

  it('changes the behaviour for all clients or for one', async () => {
    const { call, sandbox } = await controlled()

    await call('PATCH', '/behavior/oauth2', { replay: 'window', access_token_lifetime_ms: 2_000 })
    const one = await call('PATCH', '/behavior/oauth2?client_id=app', { replay: 'same' })

    expect(one.body).toMatchObject({ replay: 'same', access_token_lifetime_ms: 2_000 })
    expect((await call('GET', '/behavior/oauth2')).body).toMatchObject({ replay: 'window', consent: 'ask' })
    expect(sandbox.control.behaviorOf('pinterest').replay).toBe('single_use')
  })

  it('registers clients and accounts', async () => {
    const { call } = await controlled()
    const registered = { client_id: 'app', client_secret: null, redirect_uris: ['https://app.example/cb'] }

    expect((await call('POST', '/clients', registered)).body).toEqual(registered)
    expect((await call('GET', '/clients')).body.total).toBe(2)
    await call('POST', '/accounts/oauth2', { id: 'user-9', name: 'Nina' })
    await call('POST', '/accounts/oauth2', { id: 'user-1001', name: 'Renamed' })

    expect((await call('GET', '/accounts/oauth2')).body.accounts).toEqual([
      { id: 'user-1001', name: 'Renamed' },
      { id: 'user-1002', name: 'Ben Example' },
      { id: 'user-1003', name: 'Café Zoë Ltd' },
      { id: 'user-9', name: 'Nina' },
    ])
  })

  it('changes a client secret under the feet of those who use it', async () => {
    const { call, connect, refresh } = await controlled({ autoApprove: true })
    const { refresh_token } = await connect()

    await call('POST', '/clients', { client_id: 'sandbox-client', client_secret: 'new' })

    expect((await refresh(refresh_token)).status).toBe(401)
  })

  it('makes a grant without a browser', async () => {
    const { call, opens, refresh } = await controlled()

    const { body } = await call('POST', '/grants', {
      dialect: 'oauth2',
      account_id: 'user-1002',
      scopes: ['a'],
    })

    expect(body).toMatchObject({ expires_at: START + 3_600_000, refresh_expires_at: null })
    expect(await opens(String(body.access_token))).toBe(true)
    expect((await refresh(String(body.refresh_token))).status).toBe(200)
  })

  it('lists grants and tokens', async () => {
    const { call, connect, refresh, get } = await controlled({ autoApprove: true })
    const { refresh_token, access_token } = await connect()
    await refresh(refresh_token)
    await refresh(refresh_token)
    await get('/oauth2/api/me', bearer(access_token))

    const grants = (await call('GET', '/grants')).body.grants as Record<string, unknown>[]
    const tokens = (await call('GET', '/tokens?dialect=oauth2&account_id=user-1001')).body

    expect(grants).toMatchObject([{ account_name: 'Ada Example', created_at: START, revoked_at: null }])
    expect(tokens.total).toBe(4)
    expect(tokens.tokens).toContainEqual({
      kind: 'refresh',
      value: refresh_token,
      dialect: 'oauth2',
      grant_id: grants[0]?.id,
      client_id: 'sandbox-client',
      account_id: 'user-1001',
      scopes: ['profile'],
      issued_at: START,
      expires_at: null,
      revoked_at: null,
      spent_at: START,
      live: false,
      uses: 2,
    })
    expect(tokens.tokens).toContainEqual(
      expect.objectContaining({ value: access_token, uses: 1, live: true }),
    )
    expect((await call('GET', '/tokens?account_id=user-1002')).body.total).toBe(0)
  })

  it('lets tokens expire', async () => {
    const { call, connect, opens, refresh } = await controlled({ autoApprove: true })
    const { access_token, refresh_token } = await connect()

    expect((await call('POST', '/expire', { kind: 'access', account_id: 'user-1002' })).body).toEqual({
      expired: 0,
    })
    expect((await call('POST', '/expire', { kind: 'access' })).body).toEqual({ expired: 1 })
    expect(await opens(access_token)).toBe(false)
    expect((await call('POST', '/expire', { kind: 'refresh' })).body).toEqual({ expired: 1 })

    expect((await refresh(refresh_token)).status).toBe(400)
  })

  it.each([
    ['access', { revoked: 1 }, [false, true]],
    ['refresh', { revoked: 1 }, [true, false]],
    ['grant', { revoked: 1 }, [false, false]],
  ])('revokes by kind "%s" as a user does at the provider', async (kind, expected, left) => {
    const { call, connect, opens, refresh } = await controlled({ autoApprove: true })
    const { access_token, refresh_token } = await connect()

    expect((await call('POST', '/revoke', { kind })).body).toEqual(expected)

    expect([await opens(access_token), (await refresh(refresh_token)).status === 200]).toEqual(left)
    expect((await call('POST', '/revoke', { kind: 'grant', grant_id: 'none' })).body).toEqual({ revoked: 0 })
  })

  it('counts requests', async () => {
    const { call, connect, refresh, get } = await controlled({ autoApprove: true })
    await refresh((await connect()).refresh_token)
    await get('/oauth2/api/me')

    const refreshes = (await call('GET', '/requests?operation=refresh')).body

    expect(refreshes).toEqual({
      total: 1,
      requests: [
        {
          number: 4,
          time: START,
          dialect: 'oauth2',
          operation: 'refresh',
          client_id: 'sandbox-client',
          fault_id: null,
          outcome: 200,
        },
      ],
    })
    const operations = ((await call('GET', '/requests')).body.requests as { operation: string }[]).map(
      ({ operation }) => operation,
    )
    expect(operations).toEqual(['authorize', 'callback', 'exchange', 'refresh', 'api'])
  })

  it('resets to how it was started', async () => {
    const { call, connect, sandbox, opens, refresh } = await controlled({
      autoApprove: true,
      clients: [{ clientId: 'app', clientSecret: 'x' }],
      accounts: { oauth2: [{ id: 'user-9', name: 'Nina' }] },
      behavior: { oauth2: { replay: 'same' } },
    })
    const before = {
      clients: sandbox.control.listClients(),
      accounts: sandbox.control.listAccounts('oauth2'),
    }
    const { access_token, refresh_token } = await connect()
    await call('PATCH', '/behavior/oauth2', { replay: 'window', consent: 'deny' })
    await call('PATCH', '/behavior/oauth2?client_id=app', { replay: 'window' })
    await call('POST', '/clients', { client_id: 'more', client_secret: 'x' })
    await call('POST', '/accounts/oauth2', { id: 'more', name: 'More' })
    await call('POST', '/faults', { operation: 'refresh', answer: 'drop' })

    await call('POST', '/reset')

    const { control } = sandbox
    expect([control.listGrants(), control.listTokens(), control.listFaults()]).toEqual([[], [], []])
    expect([control.countRequests(), control.listRequests()]).toEqual([0, []])
    expect({ clients: control.listClients(), accounts: control.listAccounts('oauth2') }).toEqual(before)
    expect(control.behaviorOf('oauth2', 'app')).toMatchObject({ replay: 'same', consent: 'allow' })
    expect([await opens(access_token), (await refresh(refresh_token)).status]).toEqual([false, 400])
    expect(control.listRequests().map(({ number }) => number)).toEqual([1, 2])
  })
})
