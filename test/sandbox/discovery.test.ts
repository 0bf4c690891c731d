import { allowInsecureRequests, discoveryRequest, processDiscoveryResponse } from 'oauth4webapi'
import { describe, expect, it } from 'vitest'
import { builtIns } from '../../src/providers/built-ins.ts'
import { rebase } from '../../src/providers/rebase.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { bearer, errorOf, start } from './harness.ts'

describe('discovery of the oauth2 dialect', () => {
  it.each(['oidc', 'oauth2'] as const)('satisfies a client that looks for %s', async algorithm => {
    const { origin } = await start()
    const issuer = new URL(`${origin}/oauth2`)

    const response = await discoveryRequest(issuer, { algorithm, [allowInsecureRequests]: true })
    const server = await processDiscoveryResponse(issuer, response)

    expect(server).toMatchObject({
      token_endpoint: `${origin}/oauth2/token`,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    })
  })

  it('names endpoints that are there', async () => {
    const { origin, get, post } = await start()
    const document = (await (await get('/oauth2/.well-known/openid-configuration')).json()) as Record<
      string,
      string
    >
    const { authorization_endpoint, token_endpoint, revocation_endpoint, userinfo_endpoint } = document

    expect((await get(String(authorization_endpoint))).status).toBe(400)
    expect((await post(String(token_endpoint), {})).status).toBe(401)
    expect((await post(String(revocation_endpoint), {})).status).toBe(401)
    expect((await get(String(userinfo_endpoint))).status).toBe(401)
    expect(String(authorization_endpoint)).toBe(`${origin}/oauth2/authorize`)
  })
})

describe('the example API of the oauth2 dialect', () => {
  it('answers 401 to a dead token and to none', async () => {
    const { get } = await start()

    const dead = await get('/oauth2/api/me', bearer('at-x'))
    const none = await get('/oauth2/api/me')

    expect(dead.headers.get('www-authenticate')).toBe('Bearer realm="sandbox", error="invalid_token"')
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="sandbox"')
    expect(await errorOf(dead)).toEqual([401, 'invalid_token'])
  })
})

describe('every built-in definition', () => {
  it.each([...builtIns.keys()])('%s finds its dialect with endpoints_base', async id => {
    const { origin } = await start()
    const { authorize, operations } = rebase(resolveDefinition(id, id), `${origin}/${id}`)
    const requests = [
      { method: 'GET', url: authorize.url },
      ...Object.values(operations).filter(operation => operation !== undefined),
    ]

    for (const { method, url } of requests) {
      const answer = await fetch(url ?? 'missing:url', { method })
      const refused = await isRefusal(answer)
      expect([refused, answer.status === 404], url).toEqual([true, false])
    }
  })
})

/** TikTok for Business says in the body what others say by the status. */
async function isRefusal(answer: Response): Promise<boolean> {
  if (answer.status >= 400) return true
  const { code = 0 } = (await answer.json()) as { code?: number }
  return code !== 0
}
