import { describe, expect, it } from 'vitest'
import { client } from './client-under-test.ts'
import type { WireRequest } from './fake-http.ts'

describe('definition()', () => {
  const metadata = (issuer: string) => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/me`,
    authorization_response_iss_parameter_supported: true,
  })
  const json = { 'content-type': 'application/json' }

  it('falls back from OpenID to RFC 8414 metadata and asks once', async () => {
    const issuer = 'https://as.example'
    const found = client({ issuer }, ({ url }) =>
      url.endsWith('/oauth-authorization-server')
        ? { status: 200, body: metadata(issuer), headers: json }
        : { status: 404 },
    )
    const result = await found.definition()
    await found.definition()
    expect(found.http.sent).toHaveLength(2)
    expect(result).toMatchObject({
      value: {
        callback: { iss_required: true },
        authorize: { url: 'https://as.example/authorize', pkce: 's256' },
        operations: {
          refresh: { url: 'https://as.example/token' },
          verify: { url: 'https://as.example/me' },
        },
      },
    })
  })

  it('refuses metadata of another issuer', async () => {
    const found = client({ issuer: 'https://as.example' }, () => ({
      status: 200,
      body: metadata('https://evil.example'),
      headers: json,
    }))
    expect(await found.definition()).toMatchObject({ ok: false, failure: { class: 'client' } })
  })

  it.each(['javascript:alert(1)//', 'data:text/html,x', 'http://as.example/authorize', 'authorize'])(
    'sends no browser to %s because metadata say so',
    async endpoint => {
      const issuer = 'https://as.example'
      const body = { ...metadata(issuer), authorization_endpoint: endpoint }
      const found = client({ issuer }, () => ({ status: 200, body, headers: json }))
      expect(await found.definition()).toMatchObject({ ok: false, failure: { class: 'client' } })
    },
  )

  it('aims every URL at endpoints_base, path kept', async () => {
    const found = client('pinterest', () => ({ status: 200 }), {
      endpointsBase: 'http://127.0.0.1:1/pinterest',
    })
    expect(found.written.authorize.url).toBe('http://127.0.0.1:1/pinterest/oauth/')
    expect(found.written.operations.refresh?.url).toBe('http://127.0.0.1:1/pinterest/v5/oauth/token')
    expect(found.written.present.base_url).toBe('http://127.0.0.1:1/pinterest')
  })

  it.each([
    ['everywhere', () => ({ status: 503 })],
    [
      'at one of two places',
      ({ url }: WireRequest) => ({ status: url.endsWith('/openid-configuration') ? 503 : 404 }),
    ],
    ['by a limit', () => ({ status: 429 })],
  ])('does not blame the configuration for an issuer that is down %s', async (_, answer) => {
    const found = client({ issuer: 'https://as.example' }, answer)
    expect(await found.definition()).toMatchObject({ ok: false, failure: { class: 'not_sent' } })
  })
})
