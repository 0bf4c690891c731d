import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { client, NOW, plain } from './client-under-test.ts'
import type { WireAnswer } from './fake-http.ts'

const answered = {
  access_token: 'at',
  refresh_token: 'rt',
  expires_at: '2026-01-31T00:00:00Z',
  merchant_id: 'seller-7',
}
const input = { accessToken: new Secret('renew-era'), variables: {} }
const notAuthorized = { status: 401, body: { message: 'Not Authorized', type: 'service.not_authorized' } }

function square(answer: WireAnswer, secrets = ['s:cret']) {
  return client('square', () => answer, { clientSecrets: secrets.map(secret => new Secret(secret)) })
}

describe('migrate()', () => {
  it('is unsupported without an operation, and asks nobody', async () => {
    const { http, migrate } = client(plain, () => ({ status: 200, body: answered }))
    expect(await migrate(input)).toMatchObject({ ok: false, failure: { class: 'unsupported' } })
    expect(http.sent).toEqual([])
  })

  it('does not take the old token itself for a grant', async () => {
    const { migrate } = square({ status: 200, body: { success: true } })
    expect(await migrate(input)).toMatchObject({ ok: false, failure: { outcomeUnknown: true } })
  })

  it.each([
    ['ACCESS_TOKEN_EXPIRED', 401, 'reauthorize'],
    ['ACCESS_TOKEN_REVOKED', 401, 'reauthorize'],
    ['UNAUTHORIZED', 401, 'ambiguous'],
    ['APPLICATION_DISABLED', 403, 'client'],
    ['SERVICE_UNAVAILABLE', 503, 'retry'],
  ])('reads %s', async (code, status, expected) => {
    const { migrate } = square({ status, body: { errors: [{ code }] } })
    const result = await migrate(input)
    expect(result).toMatchObject({ ok: false, failure: { class: expected, providerCode: code } })
    expect(JSON.stringify(result)).not.toContain('renew-era')
  })

  it('tries every client secret before it says that nobody knows whose fault it is', async () => {
    const { http, migrate } = square(notAuthorized, ['new', 'old'])
    expect(await migrate(input)).toMatchObject({ ok: false, failure: { class: 'ambiguous' } })
    expect(http.sent.map(({ body }) => JSON.parse(body).client_secret)).toEqual(['new', 'old'])
  })

  it('sends the old token as the definition says, and no parameter of another grant type', async () => {
    const { http, migrate } = square({ status: 200, body: answered })
    await migrate(input)
    expect(http.sent.map(({ url, body }) => ({ url, body: JSON.parse(body) }))).toEqual([
      {
        url: 'https://connect.squareup.com/oauth2/token',
        body: {
          client_id: 'the client',
          client_secret: 's:cret',
          grant_type: 'migration_token',
          migration_token: 'renew-era',
        },
      },
    ])
  })

  it('reads the answer like that of an exchange', async () => {
    const result = await square({ status: 200, body: answered }).migrate(input)
    if (!result.ok) throw new Error(result.failure.message)
    const { accessToken, refreshToken, ...facts } = result.value
    expect([accessToken.expose(), refreshToken?.expose()]).toEqual(['at', 'rt'])
    expect(facts).toMatchObject({
      providerAccountId: 'seller-7',
      expiresAt: NOW + 30 * 86_400_000,
      expiry: 'STATED',
      scopes: undefined,
    })
  })
})
