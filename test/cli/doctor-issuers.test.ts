import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createKey } from '../api/jwt-issuer.ts'
import { examine, home } from './doctor-home.ts'

const KEYS = JSON.stringify({ keys: [(await createKey('k1')).jwk] })

/** An issuer that shows its keys to whoever brings a token, or to all. */
async function issuer({ token, body = KEYS }: { readonly token?: string; readonly body?: string } = {}) {
  const server = createServer((request, response) => {
    const isAllowed = token === undefined || request.headers.authorization === `Bearer ${token}`
    response.writeHead(isAllowed ? 200 : 403).end(isAllowed ? body : '{}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
}

const callers = (jwt: string) =>
  `callers: [{name: web, jwt: {issuer: "https://i.example", audience: tb, subject: web, ${jwt}}, allow: []}]\n`

describe('doctor, of the issuers of callers,', () => {
  it('reads the keys as serve does, with the token that the configuration names', async () => {
    const url = await issuer({ token: 'reader' })
    const { folder, file } = await home(callers(`jwks_url: "${url}", jwks_token_file: reader.token`))
    writeFileSync(join(folder, 'reader.token'), 'reader\n', { mode: 0o600 })
    expect((await examine({ file })).said('ok', 'providers')).toMatchObject([
      { what: `the keys of callers from ${url} can be read` },
    ])
  })

  it.each([
    ['for whom the token is missing', { token: 'reader' }, 'the issuer answered with status 403'],
    ['that answers something else', { body: '{"keys":[]}' }, 'the set has no public key for signatures'],
  ])('finds one %s', async (_, options, why) => {
    const url = await issuer(options)
    expect(
      (await examine(await home(callers(`jwks_url: "${url}"`)))).said('problem', 'providers'),
    ).toMatchObject([{ what: `the keys of callers from ${url} cannot be read: ${why}` }])
  })

  it('finds one at an address to which serve does not connect', async () => {
    const found = await examine(await home(callers('jwks_url: "https://10.255.255.1/keys"')))
    expect(found.said('problem', 'providers')).toMatchObject([
      { what: expect.stringMatching(/refused to connect to 10\.255\.255\.1 .* of the caller's jwt$/) },
    ])
  })

  it('finds a file that is not there', async () => {
    const { said } = await examine(await home(callers('jwks_file: gone.json')))
    expect(said('problem', 'providers')).toMatchObject([
      { what: expect.stringMatching(/gone\.json does not exist/) },
    ])
  })
})
