import { describe, expect, it } from 'vitest'
import type { FaultInput, FaultRule } from '../../src/sandbox/fault.ts'
import { authorizePath, bearer, callback, errorOf, type Fixture, locationOf, start } from './harness.ts'

/** A connected client and a refresh upon which the fault is put. */
async function faulty(fault: Omit<FaultRule, 'operation'> | Record<string, unknown>) {
  const fixture = await start({ autoApprove: true })
  const first = await fixture.connect()
  fixture.sandbox.control.addFault({ operation: 'refresh', times: 1, ...fault } as FaultInput)
  return { ...fixture, first, send: () => fixture.refresh(first.refresh_token) }
}

/** Whether the refresh token was spent: the server acted. */
function hasActed({ sandbox }: Fixture): boolean {
  return sandbox.control.listTokens().some(({ spentAt }) => spentAt !== null)
}

describe('a fault that breaks the connection', () => {
  it.each([
    ['drop', false],
    ['drop', true],
    ['reset', false],
    ['reset', true],
  ])('"%s" with acts %s', async (answer, acts) => {
    const fixture = await faulty({ answer, acts })

    await expect(fixture.send()).rejects.toThrow()

    expect(hasActed(fixture)).toBe(acts)
    expect(fixture.sandbox.control.listRequests().at(-1)).toMatchObject({
      outcome: answer,
      faultId: 'fault-1',
    })
  })

  it('"cut_body" sends half of the true answer', async () => {
    const fixture = await faulty({ answer: 'cut_body' })

    const answer = await fixture.send()

    expect(answer.status).toBe(200)
    await expect(answer.text()).rejects.toThrow()
    expect(hasActed(fixture)).toBe(true)
  })

  it.each([true, false])('"drip" with acts %s never ends', async acts => {
    const fixture = await faulty({ answer: 'drip', acts })
    const reader = (await fixture.send()).body?.getReader()

    const first = await reader?.read()
    fixture.clock.advance(100)
    const second = await reader?.read()

    expect([first, second].map(chunk => Buffer.from(chunk?.value ?? []).toString())).toEqual([' ', ' '])
    expect(hasActed(fixture)).toBe(acts)
    await reader?.cancel()
  })
})

describe('a fault that answers something else', () => {
  it.each([true, false])('"status" with acts %s', async acts => {
    const fixture = await faulty({ answer: 'status', status: 502, acts })

    expect(await errorOf(fixture.send())).toEqual([502, 'temporarily_unavailable'])

    expect(hasActed(fixture)).toBe(acts)
  })

  it.each([
    ['seconds', 7, '7'],
    ['a date', 'Thu, 01 Jan 2026 00:01:00 GMT', 'Thu, 01 Jan 2026 00:01:00 GMT'],
  ])('"status" 429 with Retry-After in %s', async (_, retryAfter, header) => {
    const fixture = await faulty({ answer: 'status', status: 429, retryAfter })

    const answer = await fixture.send()

    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe(header)
    expect(hasActed(fixture)).toBe(false)
  })

  it.each([
    ['html', {}, 200, 'text/html; charset=utf-8', /^<!doctype html>/],
    ['html', { status: 502 }, 502, 'text/html; charset=utf-8', /^<!doctype html>/],
    ['empty', {}, 200, null, /^$/],
    ['no_content', {}, 204, null, /^$/],
    ['canned', { body: 'hm' }, 200, 'application/json', /^hm$/],
    ['canned', { body: '', status: 299, contentType: 'x/y' }, 299, 'x/y', /^$/],
  ])('"%s" with %o', async (answer, more, status, type, body) => {
    for (const acts of [true, false]) {
      const fixture = await faulty({ answer, acts, ...more })

      const response = await fixture.send()

      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe(type)
      expect(await response.text()).toMatch(body)
      expect(hasActed(fixture)).toBe(acts)
    }
  })

  it('"redirect" leads to a place that notices who follows', async () => {
    const fixture = await faulty({ answer: 'redirect' })

    const answer = await fixture.send()

    expect(answer.status).toBe(307)
    const place = locationOf(answer)
    expect(place.href).toBe(`http://localhost:${new URL(fixture.origin).port}/oauth2/_trap`)
    expect(hasActed(fixture)).toBe(false)
    await fixture.post(place.pathname, { refresh_token: 'x' })
    expect(fixture.sandbox.control.countRequests({ operation: 'trap' })).toBe(1)
  })

  it('"redirect" leads where it is told', async () => {
    const fixture = await faulty({ answer: 'redirect', status: 301, location: 'https://elsewhere.example/' })

    const answer = await fixture.send()

    expect([answer.status, locationOf(answer).href]).toEqual([301, 'https://elsewhere.example/'])
  })
})

describe('a fault that lies', () => {
  it.each([
    ['invalid_grant', 400, 'invalid_grant'],
    ['invalid_client', 401, 'invalid_client'],
    ['error_in_200', 200, 'invalid_grant'],
  ])('"%s" changes nothing', async (answer, status, error) => {
    const fixture = await faulty({ answer })

    expect(await errorOf(fixture.send())).toEqual([status, error])

    expect(hasActed(fixture)).toBe(false)
    expect((await fixture.send()).status).toBe(200)
  })
})

describe('a fault that disturbs the true answer', () => {
  it.each([
    ['expires_null', { expires_in: null }],
    ['expires_string', { expires_in: '3600' }],
    ['expires_negative', { expires_in: -1 }],
    ['scope_array', { scope: ['profile'] }],
    ['extra_fields', { unknown_object: { list: [1, 'two', null] }, unknown_null: null }],
  ])('"%s"', async (answer, expected) => {
    const fixture = await faulty({ answer })

    const body = await (await fixture.send()).json()

    expect(body).toMatchObject({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      ...expected,
    })
    expect(hasActed(fixture)).toBe(true)
  })

  it.each([
    ['expires_absent', 'expires_in'],
    ['token_type_absent', 'token_type'],
  ])('"%s"', async (answer, field) => {
    const body = await (await (await faulty({ answer })).send()).json()

    expect(body).toHaveProperty('refresh_token')
    expect(body).not.toHaveProperty(field)
  })

  it('"altered" sets and removes', async () => {
    const fixture = await faulty({
      answer: 'altered',
      set: { expires_in: 1e12, odd: { deep: true } },
      remove: ['scope'],
    })

    const body = await (await fixture.send()).json()

    expect(body).toMatchObject({ expires_in: 1e12, odd: { deep: true }, token_type: 'Bearer' })
    expect(body).not.toHaveProperty('scope')
  })

  it('leaves a refusal as it is', async () => {
    const fixture = await start()
    fixture.sandbox.control.addFault({ operation: 'refresh', answer: 'expires_null' })

    const answer = await fixture.refresh('unknown')

    expect(await answer.json()).toEqual({
      error: 'invalid_grant',
      error_description: 'no such refresh token',
    })
  })

  it('"truncated_json" is a whole answer that does not parse', async () => {
    const fixture = await faulty({ answer: 'truncated_json' })

    const text = await (await fixture.send()).text()

    expect(text).toMatch(/^\{"access_token":/)
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
    expect(hasActed(fixture)).toBe(true)
  })

  it('"wrong_content_type" is good JSON under a wrong name', async () => {
    const answer = await (await faulty({ answer: 'wrong_content_type' })).send()

    expect(answer.headers.get('content-type')).toBe('text/plain')
    expect(await answer.json()).toHaveProperty('refresh_token')
  })

  it('"huge" is good JSON with too much behind it', async () => {
    const text = await (await (await faulty({ answer: 'huge', bytes: 100_000 })).send()).text()

    expect(text).toHaveLength(100_000)
    expect(JSON.parse(text)).toHaveProperty('refresh_token')
  })
})

describe('a fault that delays', () => {
  it('before acting', async () => {
    const fixture = await faulty({ delayBeforeMs: 45_000 })
    const waits = fixture.clock.nextWait()
    const answer = fixture.send()
    await waits

    expect(hasActed(fixture)).toBe(false)
    expect(fixture.sandbox.control.listRequests().at(-1)).toMatchObject({ outcome: null })
    fixture.clock.advance(45_000)

    expect((await answer).status).toBe(200)
    expect(hasActed(fixture)).toBe(true)
  })

  it('after acting, and then answers as told', async () => {
    const fixture = await faulty({ delayAfterMs: 1_000, answer: 'status', acts: true })
    const waits = fixture.clock.nextWait()
    const answer = fixture.send()
    await waits

    expect(hasActed(fixture)).toBe(true)
    fixture.clock.advance(1_000)

    expect((await answer).status).toBe(503)
  })

  it('acts although the client has hung up', async () => {
    const fixture = await faulty({ delayBeforeMs: 1_000 })
    const waits = fixture.clock.nextWait()
    const hangUp = new AbortController()
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: fixture.first.refresh_token,
    })
    const headers = { authorization: `Basic ${btoa('sandbox-client:sandbox-secret')}` }
    const url = `${fixture.origin}/oauth2/token`
    const answer = fetch(url, { method: 'POST', body, headers, signal: hangUp.signal })
    await waits

    hangUp.abort()
    await expect(answer).rejects.toThrow()
    fixture.clock.advance(1_000)
    await new Promise(setImmediate)

    expect(hasActed(fixture)).toBe(true)
  })

  it('does not keep close() waiting, and never acts afterwards', async () => {
    const fixture = await faulty({ delayBeforeMs: 1_000 })
    const waits = fixture.clock.nextWait()
    const answer = fixture.send().catch(() => 'cut')
    await waits

    await fixture.sandbox.close()
    fixture.clock.advance(1_000)

    expect(await answer).toBe('cut')
    expect(hasActed(fixture)).toBe(false)
  })
})

describe('which requests a fault is put upon', () => {
  it('as many as it says, then no more', async () => {
    const fixture = await start()
    const { control } = fixture.sandbox
    control.addFault({ operation: 'verify', answer: 'status', times: 2 })
    expect(control.listFaults()).toMatchObject([{ id: 'fault-1', left: 2 }])
    const statuses: number[] = []
    for (let request = 0; request < 3; request += 1)
      statuses.push((await fixture.get('/oauth2/userinfo')).status)

    expect(statuses).toEqual([503, 503, 401])
    expect(control.listFaults()).toEqual([])
  })

  it('all, until it is cleared', async () => {
    const fixture = await start()
    const { control } = fixture.sandbox
    const { id } = control.addFault({ operation: 'api', answer: 'status' })
    expect((await fixture.get('/oauth2/api/me')).status).toBe(503)
    expect((await fixture.get('/oauth2/api/me')).status).toBe(503)

    control.clearFaults(id)

    expect((await fixture.get('/oauth2/api/me')).status).toBe(401)
    expect(() => control.clearFaults(id)).toThrow('no fault "fault-1"')
  })

  it('those of its operation, dialect and client', async () => {
    const fixture = await start({ clients: [{ clientId: 'other', clientSecret: 'x' }] })
    const { control } = fixture.sandbox
    control.addFault({ operation: 'refresh', dialect: 'oauth2', clientId: 'other', answer: 'status' })
    const body = { grant_type: 'refresh_token', refresh_token: 'x' }
    const asOther = { authorization: `Basic ${btoa('other:x')}` }

    const statuses = [
      (await fixture.token(body)).status,
      (await fixture.post('/pinterest/v5/oauth/token', body, asOther)).status,
      (await fixture.post('/oauth2/revoke', { token: 'x' }, asOther)).status,
      (await fixture.post('/oauth2/token', body, asOther)).status,
    ]

    expect(statuses).toEqual([400, 401, 200, 503])
  })

  it('the exchange apart from the refresh', async () => {
    const fixture = await start({ autoApprove: true })
    fixture.sandbox.control.addFault({ operation: 'exchange', answer: 'status' })
    const first = await fixture.code()

    const answers = [
      await fixture.token({ grant_type: 'authorization_code', code: first }),
      await fixture.refresh('unknown'),
    ]

    expect(answers.map(({ status }) => status)).toEqual([503, 400])
  })

  it.each([
    ['authorize', authorizePath(), 503],
    ['discovery', '/oauth2/.well-known/oauth-authorization-server', 503],
  ] as const)('also %s', async (operation, path, status) => {
    const fixture = await start()
    fixture.sandbox.control.addFault({ operation, answer: 'status' })

    expect((await fixture.get(path)).status).toBe(status)
  })

  it('the way back to the client', async () => {
    const fixture = await start({ autoApprove: true })
    const set = { iss: 'https://evil.example', state: ['a', 'b'] }
    fixture.sandbox.control.addFault({ operation: 'callback', answer: 'altered', set, remove: ['code'] })

    const back = await callback(fixture, authorizePath())

    expect(back.get('iss')).toBe('https://evil.example')
    expect(back.getAll('state')).toEqual(['a', 'b'])
    expect(back.has('code')).toBe(false)
  })

  it('a verify whose answer it alters', async () => {
    const fixture = await start({ autoApprove: true })
    const { access_token } = await fixture.connect()
    fixture.sandbox.control.addFault({
      operation: 'verify',
      answer: 'altered',
      set: { sub: 'somebody else' },
    })

    expect(await (await fixture.get('/oauth2/userinfo', bearer(access_token))).json()).toEqual({
      sub: 'somebody else',
      name: 'Ada Example',
    })
  })
})

describe('addFault() of what cannot be', () => {
  it.each([
    ['an unknown operation', { operation: 'renew' }, 'operation: '],
    ['an unknown answer', { operation: 'refresh', answer: 'explode' }, 'answer: '],
    ['an unknown field', { operation: 'refresh', answer: 'drop', status: 500 }, 'Unrecognized key: "status"'],
    ['a success as trouble', { operation: 'refresh', answer: 'status', status: 200 }, 'status: '],
    [
      'a header that breaks its line',
      { operation: 'refresh', answer: 'redirect', location: 'a\r\nb' },
      'location: ',
    ],
    [
      'a body that there is not',
      { operation: 'revoke', answer: 'truncated_json' },
      'answer: "truncated_json" goes',
    ],
    [
      'a client where none is named',
      { operation: 'verify', clientId: 'x' },
      'clientId: a request of "verify"',
    ],
    ['an unknown dialect', { operation: 'refresh', dialect: 'acme' }, 'no dialect "acme"'],
  ])('refuses %s', async (_, fault, message) => {
    const { sandbox } = await start()

    expect(() => sandbox.control.addFault(fault as FaultInput)).toThrow(message)
    expect(sandbox.control.listFaults()).toEqual([])
  })
})
