import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createHttp } from '../../src/egress/undici-http.ts'
import { createOAuthClient } from '../../src/oauth/client.ts'
import { createDefinitionSource } from '../../src/oauth/discovery.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { Secret } from '../../src/secret.ts'
import { provider } from './client-under-test.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map(close => close()))
})

/** A server that answers with what a function makes of its own origin, and counts what it is asked. */
async function serve(answer: (origin: string) => object) {
  const server = createServer((request, response) => {
    served.paths.push(request.url ?? '')
    const json = { 'content-type': 'application/json' }
    response.writeHead(200, json).end(JSON.stringify(answer(served.origin)))
  })
  const served = { origin: '', paths: [] as string[] }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise(resolve => server.close(resolve)))
  served.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return served
}

function refresh(definition: object, over: Partial<Provider> = {}) {
  const http = createHttp()
  closers.push(http.close)
  const configured = provider(definition, over)
  const source = createDefinitionSource(configured, http, Date.now)
  const client = createOAuthClient(configured, source, http, Date.now)
  return client.refresh({ refreshToken: new Secret('canary'), scopes: [], variables: {} })
}

const metadata = (token: string) => (issuer: string) => ({ issuer, token_endpoint: token })

it('metadata of an issuer on this machine leads to no other port of it', async () => {
  const internal = await serve(() => ({}))
  const issuer = await serve(metadata(`${internal.origin}/token`))
  const result = await refresh({ issuer: issuer.origin })
  expect(result).toMatchObject({
    failure: {
      class: 'not_sent',
      outcomeUnknown: false,
      message: expect.stringMatching('refused to connect to 127.0.0.1'),
    },
  })
  expect(internal.paths).toEqual([])
})

it.each(['https://169.254.169.254/token', 'https://[fd00:ec2::254]/token', 'https://10.0.0.1/token'])(
  'metadata leads to %s only if allow_networks says so',
  async endpoint => {
    const issuer = await serve(metadata(endpoint))
    expect(await refresh({ issuer: issuer.origin })).toMatchObject({ failure: { class: 'not_sent' } })
  },
)

it('allow_networks lets metadata lead there', async () => {
  const internal = await serve(() => ({ access_token: 'at', token_type: 'bearer' }))
  const issuer = await serve(metadata(`${internal.origin}/token`))
  expect(await refresh({ issuer: issuer.origin }, { allowNetworks: ['127.0.0.1'] })).toMatchObject({
    ok: true,
  })
  expect(internal.paths).toEqual(['/token'])
})

it('a variable of a connection leads nowhere inside', async () => {
  const definition = { token_url: 'https://{shop}/token', variables: { shop: { matches: '.*' } } }
  const result = await refresh(definition, { variables: { shop: '127.0.0.1' } })
  expect(result).toMatchObject({ failure: { class: 'not_sent' } })
})
