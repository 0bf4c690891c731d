import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  Revocation,
  Shared,
  Verification_Result,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createHome, type Home, type RunningBroker } from './broker-process.ts'
import { walkConsent } from './consent-walk.ts'
import { CLIENT, type OidcServer, startOidcServer, USER } from './oidc-server.ts'

/** Short, so that the broker's own renewal is seen; the server counts in whole seconds. */
const LIFETIME_S = 2
const PROVIDER = { provider: 'acme', account: '' }
const CALLERS = 50

// The server reminds of settings that only a server in production needs.
vi.spyOn(console, 'warn').mockImplementation(() => {})
vi.spyOn(console, 'info').mockImplementation(() => {})

type Written = 'discovered' | 'inline'
interface World {
  readonly home: Home
  readonly server: OidcServer
  configure(clientSecret: string): Promise<void>
}

async function createWorld({ written = 'discovered' as Written, rotates = true } = {}): Promise<World> {
  const home = await createHome()
  const redirectUri = `${home.publicUrl}/oauth/callback/acme`
  const server = await startOidcServer({ redirectUri, rotates, accessTokenSeconds: LIFETIME_S })
  const configure = (secret: string) =>
    home
      .configure(`acme:
  definition: ${definition(server.issuer, written)}
  client_id: ${CLIENT.id}
  client_secret: {file: client-secret}
  scopes: [openid, offline_access, reports]`)
      .then(() => home.writeFile('client-secret', secret))
  await configure(CLIENT.secret)
  return { home, server, configure }
}

/** Without `prompt=consent` the server ignores `offline_access` (OpenID Connect Core section 11). */
function definition(issuer: string, written: Written): string {
  const authorize = 'authorize: {params: {prompt: consent}}'
  if (written === 'discovered') return `{issuer: "${issuer}", ${authorize}}`
  return `{authorize_url: "${issuer}/auth", token_url: "${issuer}/token", revoke_url: "${issuer}/token/revocation",
    verify_url: "${issuer}/me", client_auth: basic, ${authorize}}`
}

async function connect(broker: RunningBroker): Promise<AccessToken> {
  const { url } = await broker.createLink('acme')
  const { result } = await walkConsent(url)
  expect(result).toContain('<title>Connected')
  return broker.getToken('acme')
}

async function consentOf(broker: RunningBroker, consentId: string) {
  const { consent } = await broker.call(broker.admin, broker.admin.getConsent, { consentId })
  return consent
}

async function renewed(broker: RunningBroker, { version }: AccessToken): Promise<AccessToken> {
  for (;;) {
    const token = await broker.getToken('acme')
    if (token.version !== version) return token
    await delay(20)
  }
}

async function expired({ expireTime }: AccessToken): Promise<void> {
  await delay(Math.max(0, (expireTime?.getTime() ?? 0) - Date.now()))
}

describe('a server that the project did not write (oidc-provider)', () => {
  it.each([
    { written: 'discovered', rotates: false },
    { written: 'discovered', rotates: true },
    { written: 'inline', rotates: true },
  ] as const)('is used from consent to Disconnect: $written, rotates: $rotates', async variant => {
    const { home, server } = await createWorld(variant)
    const broker = await home.start()
    const first = await connect(broker)
    expect(first).toMatchObject({ tokenType: 'Bearer', providerAccountId: USER })
    expect(new Set(first.scopes)).toEqual(new Set(['openid', 'offline_access', 'reports']))

    const second = await renewed(broker, first)
    expect(Date.now()).toBeLessThan(first.expireTime?.getTime() ?? 0)
    const { refreshed, status } = await broker.call(broker.tokens, broker.tokens.refresh, PROVIDER)
    expect({ refreshed, healthy: status?.healthy }).toEqual({ refreshed: true, healthy: true })
    expect(status?.version).not.toBe(second.version)
    const verified = await broker.call(broker.tokens, broker.tokens.getStatus, { ...PROVIDER, verify: true })
    expect(verified.status?.verification?.result).toBe(Verification_Result.VERIFIED)

    const { revocation } = await broker.call(broker.tokens, broker.tokens.disconnect, {
      ...PROVIDER,
      shared: Shared.UNSPECIFIED,
    })
    expect(revocation).toBe(Revocation.REVOKED)
    const used = server.tokenRequests.flatMap(({ presented }) => presented ?? [])
    expect(new Set(used).size).toBe(variant.rotates ? used.length : 1)
    const last = server.tokenRequests.findLast(({ issued }) => issued !== undefined)
    expect(await server.tryRefreshToken(last?.issued ?? '')).toEqual({ status: 400, error: 'invalid_grant' })
    expect((await broker.refusal('acme')).reason).toBe('CONSENT_REQUIRED')
  })

  it(`is asked once by ${CALLERS} callers of an expired token, and the rotated grant survives`, async () => {
    const { home, server } = await createWorld()
    const before = await home.start()
    const last = await connect(before)
    await before.stop()
    await expired(last)

    const release = server.holdTokens()
    server.tokenRequests.length = 0
    const broker = await home.start()
    const calls = Array.from({ length: CALLERS }, () => broker.getToken('acme'))
    // One channel keeps order: when this is answered, all the calls before it wait for the refresh.
    await broker.call(broker.tokens, broker.tokens.getStatus, { ...PROVIDER, verify: false })
    release()
    const answers = await Promise.all(calls)
    expect(new Set(answers.map(({ version }) => version)).size).toBe(1)
    expect(server.tokenRequests).toMatchObject([{ grantType: 'refresh_token', status: 200 }])

    const next = await broker.getToken('acme', { rejectedVersion: answers[0]?.version })
    expect(next.version).not.toBe(answers[0]?.version)
    expect(server.tokenRequests.every(({ status }) => status === 200)).toBe(true)
  })

  it('refuses a wrong client secret: PROVIDER_MISCONFIGURED until the right one is back', async () => {
    const { home, server, configure } = await createWorld()
    let broker = await home.start()
    const token = await connect(broker)
    await broker.stop()
    await expired(token)

    await configure('not-the-secret')
    broker = await home.start()
    expect((await broker.refusal('acme')).reason).toBe('PROVIDER_MISCONFIGURED')
    expect(server.tokenRequests.at(-1)?.status).toBe(401)
    await broker.stop()

    await configure(CLIENT.secret)
    broker = await home.start()
    expect((await broker.getToken('acme')).version).not.toBe(token.version)
  })

  it('says no for its user: DENIED, with its own code', async () => {
    const { home, server } = await createWorld()
    server.decision = 'deny'
    const broker = await home.start()
    const { url, consentId } = await broker.createLink('acme')
    await walkConsent(url)
    expect(await consentOf(broker, consentId)).toMatchObject({
      state: ConsentState.DENIED,
      error: { reason: 'DENIED', providerCode: 'access_denied' },
    })
    expect(server.tokenRequests).toEqual([])
  })

  it('is not believed where the answer names another issuer (RFC 9207)', async () => {
    const { home, server } = await createWorld()
    const broker = await home.start()
    const { url, consentId } = await broker.createLink('acme')
    const { result } = await walkConsent(url, hop => {
      if (hop.searchParams.has('iss')) hop.searchParams.set('iss', 'https://attacker.example')
    })
    expect(result).toContain('The answer came from the wrong place')
    expect(await consentOf(broker, consentId)).toMatchObject({
      state: ConsentState.FAILED,
      error: { reason: 'ISSUER_MISMATCH' },
    })
    expect(server.tokenRequests).toEqual([])
  })
})
