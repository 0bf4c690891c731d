import { describe, expect, it } from 'vitest'
import type { BehaviorPatch } from '../../src/sandbox/behavior.ts'
import {
  authorizePath,
  CHALLENGE,
  callback,
  type Fixture,
  locationOf,
  REDIRECT_URI,
  start,
  type TokenAnswer,
} from './harness.ts'

/** Opens the consent page and finds where its form goes. */
async function consentForm(fixture: Fixture, parameters: Record<string, string> = {}) {
  const page = await (await fixture.get(authorizePath(parameters))).text()
  const action = /action="([^"]+)"/.exec(page)?.[1] ?? 'no form'
  return { page, action }
}

function decide(fixture: Fixture, action: string, fields: [string, string][]): Promise<Response> {
  return fixture.post(action, new URLSearchParams(fields))
}

const ALLOW: [string, string][] = [
  ['decision', 'allow'],
  ['account', 'user-1002'],
]

describe('authorize() when nothing may be sent back', () => {
  it.each([
    ['an unknown client', { client_id: 'nobody' }],
    ['no client', { client_id: '' }],
    ['a foreign redirect_uri', { redirect_uri: 'https://evil.example/callback' }],
    ['a redirect_uri that only looks like loopback', { redirect_uri: 'http://127.0.0.1.evil.example/' }],
    ['a redirect_uri with credentials', { redirect_uri: 'http://127.0.0.1@evil.example/' }],
    ['a redirect_uri with a fragment', { redirect_uri: 'http://127.0.0.1/#x' }],
    ['a redirect_uri with a line break', { redirect_uri: 'http://127.0.0.1/\r\nset-cookie: x' }],
    ['no redirect_uri where any is registered', { redirect_uri: '' }],
    ['the word that stands for all', { redirect_uri: 'loopback' }],
  ])('shows a page for %s', async (_, parameters) => {
    const { get } = await start({ autoApprove: true })

    const answer = await get(authorizePath(parameters))

    expect(answer.status).toBe(400)
    expect(answer.headers.get('location')).toBeNull()
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(await answer.text()).not.toContain('evil.example')
  })

  it('shows a page for a repeated parameter', async () => {
    const { get } = await start({ autoApprove: true })

    const answer = await get(`${authorizePath()}&redirect_uri=${encodeURIComponent(REDIRECT_URI)}`)

    expect(answer.status).toBe(400)
  })
})

describe('authorize() of a request that is refused', () => {
  it.each([
    ['no response_type', { response_type: '' }, 'invalid_request'],
    ['another response_type', { response_type: 'token' }, 'unsupported_response_type'],
    ['a malformed scope', { scope: 'a"b' }, 'invalid_scope'],
    ['the plain method', { code_challenge: CHALLENGE, code_challenge_method: 'plain' }, 'invalid_request'],
    ['a challenge without a method', { code_challenge: CHALLENGE }, 'invalid_request'],
    ['a method without a challenge', { code_challenge_method: 'S256' }, 'invalid_request'],
    [
      'a challenge that is no SHA-256',
      { code_challenge: 'x', code_challenge_method: 'S256' },
      'invalid_request',
    ],
  ])('tells the client about %s', async (_, parameters, error) => {
    const fixture = await start({ autoApprove: true })

    const back = await callback(fixture, authorizePath(parameters))

    expect(back.get('error')).toBe(error)
    expect(back.get('state')).toBe('state-1')
    expect(back.get('iss')).toBe(`${fixture.origin}/oauth2`)
    expect(back.has('code')).toBe(false)
  })

  it.each([
    ['a server that requires PKCE', 'sandbox-client'],
    ['a public client', 'app'],
  ])('tells the client about a missing challenge at %s', async (_, clientId) => {
    const fixture = await start({ autoApprove: true, clients: [{ clientId: 'app', clientSecret: null }] })
    fixture.sandbox.control.changeBehavior('oauth2', { requiresPkce: true }, 'sandbox-client')

    const back = await callback(fixture, authorizePath({ client_id: clientId }))

    expect(back.get('error')).toBe('invalid_request')
  })
})

describe('authorize() with the consent page', () => {
  it('grants what stays ticked, to the account that was chosen', async () => {
    const fixture = await start()
    const { page, action } = await consentForm(fixture, { scope: 'read write admin' })
    expect(page).toContain('Ada Example')

    const answer = await decide(fixture, action, [...ALLOW, ['scope', 'read'], ['scope', 'write']])

    const back = locationOf(answer).searchParams
    expect(answer.status).toBe(303)
    expect(back.get('state')).toBe('state-1')
    const code = back.get('code') ?? ''
    const tokens = await fixture.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI })
    expect(((await tokens.json()) as TokenAnswer).scope).toBe('read write')
    expect(fixture.sandbox.control.listGrants()).toMatchObject([{ accountId: 'user-1002' }])
  })

  it('never grants a scope that was not asked for', async () => {
    const fixture = await start()
    const { action } = await consentForm(fixture, { scope: 'read' })

    const back = locationOf(await decide(fixture, action, [...ALLOW, ['scope', 'read'], ['scope', 'admin']]))

    const code = back.searchParams.get('code') ?? ''
    const tokens = await fixture.token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI })
    expect(((await tokens.json()) as TokenAnswer).scope).toBe('read')
  })

  it.each([
    ['is denied', [['decision', 'deny']] as [string, string][]],
    ['is allowed without any scope', ALLOW],
  ])('answers access_denied if it %s', async (_, fields) => {
    const fixture = await start()
    const { action } = await consentForm(fixture)

    const back = locationOf(await decide(fixture, action, fields)).searchParams

    expect(back.get('error')).toBe('access_denied')
    expect(back.get('state')).toBe('state-1')
    expect(back.has('code')).toBe(false)
  })

  it('settles once', async () => {
    const fixture = await start()
    const { action } = await consentForm(fixture)
    await decide(fixture, action, [['decision', 'deny']])

    expect((await decide(fixture, action, [...ALLOW, ['scope', 'profile']])).status).toBe(404)
  })

  it.each([
    ['one millisecond before it is too old', 599_999, 303],
    ['when it is too old', 600_000, 404],
  ])('answers %s', async (_, ms, status) => {
    const fixture = await start()
    const { action } = await consentForm(fixture)
    fixture.clock.advance(ms)

    expect((await decide(fixture, action, [['decision', 'deny']])).status).toBe(status)
  })

  it('refuses an account that does not exist, and stays open', async () => {
    const fixture = await start()
    const { action } = await consentForm(fixture)
    const fields = (account: string): [string, string][] => [
      ['decision', 'allow'],
      ['account', account],
      ['scope', 'profile'],
    ]

    expect((await decide(fixture, action, fields('nobody'))).status).toBe(400)
    expect((await decide(fixture, action, fields('user-1001'))).status).toBe(303)
  })

  it('escapes what it shows', async () => {
    const clientId = '"><script>alert(1)</script>'
    const fixture = await start({ clients: [{ clientId, clientSecret: 'x' }] })

    const { page } = await consentForm(fixture, { client_id: clientId, scope: "<b>'" })

    expect(page).not.toMatch(/<script|<b>/)
    expect(page).toContain('&#60;b&#62;&#39;')
  })
})

describe('authorize() without a page', () => {
  it('echoes a state that needs encoding and keeps the query of the redirect_uri', async () => {
    const fixture = await start({ autoApprove: true })
    const redirectUri = `${REDIRECT_URI}?keep=a%2Fb`
    const state = 'ä &=+/ state'

    const back = await callback(fixture, authorizePath({ redirect_uri: redirectUri, state }))

    expect(back.get('state')).toBe(state)
    expect(back.get('keep')).toBe('a/b')
  })

  it('allows as the account that the behaviour names, without the scopes that it withholds', async () => {
    const fixture = await start()
    const patch: BehaviorPatch = {
      consent: 'allow',
      consentAccountId: 'user-1003',
      consentWithheldScopes: ['write'],
    }
    fixture.sandbox.control.changeBehavior('oauth2', patch)

    const tokens = await fixture.connect({ scope: 'read write' })

    expect(tokens.scope).toBe('read')
    expect(fixture.sandbox.control.listGrants()).toMatchObject([{ accountName: 'Café Zoë Ltd' }])
  })

  it('denies', async () => {
    const fixture = await start({ behavior: { oauth2: { consent: 'deny' } } })

    expect((await callback(fixture, authorizePath())).get('error')).toBe('access_denied')
  })

  it('is not for the client to ask for', async () => {
    const { get } = await start()

    const answer = await get(authorizePath({ auto_approve: 'true', consent: 'allow' }))

    expect(answer.status).toBe(200)
  })

  it('finds the one registered redirect URI where the request names none', async () => {
    const clients = [{ clientId: 'one', clientSecret: 'x', redirectUris: [`${REDIRECT_URI}/one`] }]
    const fixture = await start({ autoApprove: true, clients })

    const back = await callback(fixture, authorizePath({ client_id: 'one', redirect_uri: '' }))

    expect(back.has('code')).toBe(true)
  })
})

describe('authorize() with a detour', () => {
  it('shows the page under another origin', async () => {
    const fixture = await start({ detour: true })

    const answer = await fixture.get(authorizePath())

    const place = locationOf(answer)
    expect(answer.status).toBe(302)
    expect(place.hostname).toBe('localhost')
    expect(place.port).toBe(new URL(fixture.origin).port)
    const page = await fixture.get(fixture.origin + place.pathname)
    expect(await page.text()).toContain('made-up accounts')
  })
})

describe('the headers of every answer', () => {
  it.each([
    ['the consent page', authorizePath()],
    ['a mistake', '/oauth2/authorize'],
    ['nothing', '/nowhere'],
    ['a malformed path', '/oauth2/%E0%A4%A'],
    ['the API', '/oauth2/api/me'],
  ])('stand on %s', async (_, path) => {
    const { get } = await start()

    const { headers } = await get(path)

    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('allow the style sheet that the page carries', async () => {
    const { get } = await start()
    const answer = await get(authorizePath())
    const style = /<style>(.*)<\/style>/s.exec(await answer.text())?.[1] ?? ''

    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style))

    expect(answer.headers.get('content-security-policy')).toContain(Buffer.from(digest).toString('base64'))
  })
})
