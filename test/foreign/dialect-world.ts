import { expect } from 'vitest'
import { type Consent, ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  type ConnectionStatus,
  type Revocation,
  Shared,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createHome, type Home, type RunningBroker } from '../e2e/broker-process.ts'
import { walkConsent } from '../e2e/consent-walk.ts'
import { CLIENT } from '../e2e/oidc-server.ts'
import type { Dialect } from './dialect.ts'
import { type Front, startFront } from './front.ts'
import { type MovableTime, takeOverTime } from './time.ts'

const LIFETIME_S = 600
/** How long access tokens live. */
export const LIFETIME_MS = LIFETIME_S * 1000
/** When the server takes them for expired too: it allows clocks to differ by 15 seconds. */
export const EXPIRED_AFTER_MS = LIFETIME_MS + 16_000
/** Longer than the time in which a second forced refresh answers the first one's result, and than a confirmation takes. */
export const HALF_A_MINUTE_MS = 31_000

/** How often half a minute passes until a refused grant must count as dead. */
const CONFIRMATIONS_MAX = 10

/** The connection that a test is about. */
export interface Name {
  readonly provider: string
  readonly account: string
}

/** A broker that speaks a built-in definition, and a provider that it can be spoken to in. */
export interface World {
  readonly home: Home
  readonly front: Front
  readonly time: MovableTime
  readonly name: Name
  /** The first client secret is the current one. */
  configure(...clientSecrets: readonly string[]): Promise<void>
}

/** Connects nothing yet; the broker is configured with the built-in definition and starts when a test says so. */
export async function createWorld(dialect: Dialect): Promise<World> {
  const time = takeOverTime()
  const home = await createHome()
  const id = dialect.definition
  const front = await startFront(dialect, {
    redirectUri: `${home.publicUrl}/oauth/callback/${id}`,
    accessTokenSeconds: LIFETIME_S,
  })
  const configure = async (...secrets: readonly string[]) => {
    const files = secrets.map((_, index) => `client-secret-${index}`)
    await home.configure(`${id}:
  endpoints_base: ${front.origin}
  client_id: ${CLIENT.id}
  client_secret: [${files.map(file => `{file: ${file}}`).join(', ')}]
  scopes: ["${dialect.scopes.identity}", "${dialect.scopes.other}"]`)
    await Promise.all(secrets.map((secret, index) => home.writeFile(files[index] ?? '', secret)))
  }
  await configure(CLIENT.secret)
  return { home, front, time, configure, name: { provider: id, account: '' } }
}

/** Walks a consent to its end. */
export async function consent(broker: RunningBroker, { provider }: Name): Promise<Consent | undefined> {
  const { url, consentId } = await broker.createLink(provider)
  await walkConsent(url)
  return (await broker.call(broker.admin, broker.admin.getConsent, { consentId })).consent
}

/** The same where it has to bring a connection; answers its token. */
export async function connect(broker: RunningBroker, name: Name): Promise<AccessToken> {
  expect(await consent(broker, name)).toMatchObject({ state: ConsentState.COMPLETED })
  return broker.getToken(name.provider)
}

/** @param verify whether the provider is asked too */
export async function status(
  broker: RunningBroker,
  name: Name,
  { verify = false } = {},
): Promise<ConnectionStatus | undefined> {
  return (await broker.call(broker.tokens, broker.tokens.getStatus, { ...name, verify })).status
}

/** Refreshes by force, which has to succeed. */
export async function refresh(broker: RunningBroker, name: Name): Promise<void> {
  const { refreshed, status } = await broker.call(broker.tokens, broker.tokens.refresh, name)
  expect({ refreshed, healthy: status?.healthy }).toEqual({ refreshed: true, healthy: true })
}

/** Disconnects, and sees that nothing is handed out any more. */
export async function disconnect(broker: RunningBroker, name: Name): Promise<Revocation> {
  const request = { ...name, shared: Shared.UNSPECIFIED }
  const { revocation } = await broker.call(broker.tokens, broker.tokens.disconnect, request)
  expect((await broker.refusal(name.provider)).reason).toBe('CONSENT_REQUIRED')
  return revocation
}

/** Asserts that an expired token whose refreshes are refused ends in REAUTH_REQUIRED, and not at the first refusal. */
export async function expectSlowDeath(broker: RunningBroker, { name, time }: World): Promise<void> {
  expect((await broker.refusal(name.provider)).reason).toBe('PROVIDER_UNAVAILABLE')
  for (let turn = 0; turn < CONFIRMATIONS_MAX; turn++) {
    time.pass(HALF_A_MINUTE_MS)
    const { reason } = await broker.refusal(name.provider)
    if (reason === 'REAUTH_REQUIRED') return
    expect(reason).toBe('PROVIDER_UNAVAILABLE')
  }
  throw new Error('a grant that is refused again and again still counts as alive')
}

/** Calls the provider's API with a token as the broker says that it is to be presented. */
export async function callApi({ origin }: Front, { apiCall }: Dialect, token: AccessToken): Promise<unknown> {
  const { headerName = '', valuePrefix = '', headers } = token.presentation ?? {}
  const answer = await fetch(origin + apiCall.path.replace('{account}', token.providerAccountId), {
    method: apiCall.method,
    headers: { [headerName]: valuePrefix + token.accessToken, ...headers },
  })
  const { code = 0 } = (await answer.json()) as { code?: number }
  return { status: answer.status, code }
}

/** Asserts that each refresh presented what the grant before it brought, so that none came twice where they rotate. */
export function expectChain({ upstream }: Front, { rotates }: Dialect, refreshes: number): void {
  const issued = upstream.granted.map(({ refreshToken }) => refreshToken)
  expect(upstream.presented).toEqual(issued.slice(0, -1))
  expect(upstream.presented).toHaveLength(refreshes)
  expect(new Set(issued).size).toBe(rotates ? issued.length : 1)
}
