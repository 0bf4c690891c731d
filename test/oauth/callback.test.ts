import { describe, expect, it } from 'vitest'
import { type CallbackParameters, readCallback } from '../../src/oauth/callback.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'

const provider = { id: 'acme', clientId: 'x' } as Provider
const read = (query: string, over: object = {}) => {
  const written = { token_url: 'https://as.example/token', ...over }
  const definition = {
    ...resolveDefinition(written, 'acme'),
    ...('issuer' in over ? {} : { issuer: undefined }),
  }
  const parameters: CallbackParameters = [...new URLSearchParams(query)].map(([k, v]) => [k, new Secret(v)])
  return readCallback(definition, provider, parameters)
}

describe('readCallback()', () => {
  it('reads the code and what the definition captures', () => {
    const outcome = read('code=c&state=s&realmId=9', { callback: { capture: { realm_id: 'realmId' } } })
    expect(outcome).toMatchObject({ kind: 'code', attributes: { realm_id: '9' } })
  })

  it('takes control characters out of what it captures', () => {
    const outcome = read('code=c&state=s&realmId=9%0d%0a%1b[2J', {
      callback: { capture: { realm_id: 'realmId' } },
    })
    expect(outcome).toMatchObject({ kind: 'code', attributes: { realm_id: '9[2J' } })
  })

  it.each([
    ['two codes', 'code=a&code=b&state=s'],
    ['two errors', 'error=a&error=b&state=s'],
    ['two issuers', 'code=a&iss=x&iss=x&state=s'],
    ['neither code nor error', 'state=s'],
    ['an empty code', 'code=&state=s'],
    ['an implicit token', 'code=a&token=b&state=s'],
    ['an id token', 'code=a&id_token=b&state=s'],
    ['a JARM response', 'code=a&response=b&state=s'],
  ])('refuses %s', (_, query) => {
    expect(read(query).kind).toBe('malformed')
  })

  it.each([
    ['access_denied', true],
    ['server_error', false],
  ])('tells %s', (code, denied) => {
    expect(read(`error=${code}&state=s`)).toEqual({ kind: 'error', denied, providerCode: code })
  })

  it('keeps no code that is no code', () => {
    expect(read('error=%3Cscript%3E&state=s')).toEqual({ kind: 'error', denied: false, providerCode: '' })
  })

  it('reads renamed parameters', () => {
    const callback = { code: 'auth_code', error: { code: 'error_code' } }
    expect(read('auth_code=c&state=s', { callback }).kind).toBe('code')
    expect(read('error_code=access_denied&state=s', { callback })).toMatchObject({ denied: true })
  })

  it.each([
    ['the right issuer', 'iss=https%3A%2F%2Fas.example', 'code'],
    ['another issuer', 'iss=https%3A%2F%2Fevil.example', 'wrong_issuer'],
    ['no issuer where it is required', '', 'wrong_issuer'],
  ])('with %s', (_, iss, expected) => {
    const over = { issuer: 'https://as.example', callback: { iss_required: true } }
    expect(read(`code=c&state=s&${iss}`, over).kind).toBe(expected)
  })
})
