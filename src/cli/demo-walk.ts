import { setTimeout as delay } from 'node:timers/promises'
import { AdminServiceService as admin, ConsentState } from '../gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  GetAccessTokenRequest,
  Revocation,
  Shared,
  TokenBrokerServiceService as tokens,
  Verification_Result,
} from '../gen/tokenbroker/v1/token_broker.ts'
import type { BrokerClient } from './client.ts'
import { callApi } from './demo-api.ts'
import { walkConsent } from './demo-browser.ts'
import type { DemoProvider, DemoWorld } from './demo-world.ts'
import { CliError } from './exit.ts'
import { formatRelative } from './time.ts'
import { enumName } from './to-json.ts'

/** Tokens live so briefly in the walk that their renewal can be watched. */
export const WALK_LIFETIME_MS = 4_000
/** A renewal that takes longer than two lifetimes did not happen. */
const RENEWAL_WAIT_MS = 2 * WALK_LIFETIME_MS
const POLL_MS = 100

/** Prints one step: what was done, and what came of it. */
export type Tell = (what: string, outcome: string) => void

/** Walks the whole life of one connection; throws at the first step that does not do what it should. */
export async function walk(
  world: DemoWorld,
  broker: BrokerClient,
  { id, dialect }: DemoProvider,
  tell: Tell,
): Promise<void> {
  await connect(broker, id, tell)
  const first = await getToken(broker, id)
  tell('GetAccessToken', `version ${short(first)}, expires ${formatRelative(expiry(first), Date.now())}`)
  tell("a call of the provider's API", await tryApi(world, dialect, first, 'taken'))

  const renewed = await waitForNext(broker, id, first)
  tell('waited', `renewed before it expired: version ${short(renewed)}`)

  world.sandbox.control.revoke('access', { dialect })
  tell('the provider kills the token', await tryApi(world, dialect, renewed, 'refused'))
  const newer = await getToken(broker, id, renewed.version)
  tell('GetAccessToken with rejected_version', `version ${short(newer)}`)
  tell('the same call again', await tryApi(world, dialect, newer, 'taken'))

  const { status } = await broker.call(tokens.getStatus, { provider: id, account: '', verify: true })
  expect(status?.connected === true && status.healthy, 'the connection is not healthy')
  tell(
    'GetStatus',
    `${status?.diagnosis} (verified: ${enumName(Verification_Result, status?.verification?.result ?? 0)})`,
  )
  await disconnect(broker, id, tell)
}

/** Connects once, as the walk does, and says so. */
export async function connect(broker: BrokerClient, id: string, tell: Tell): Promise<void> {
  const link = await createLink(broker, id)
  tell('CreateConsentLink', link.url)
  await walkConsent(link.url)
  const { consent } = await broker.call(admin.getConsent, { consentId: link.consentId })
  const status = consent?.status
  expect(consent?.state === ConsentState.COMPLETED, 'consent did not complete')
  const account = status?.providerAccountName || status?.providerAccountId || 'an unnamed account'
  tell('consent in the browser', `connected ${account}, scopes ${status?.grantedScopes.join(' ')}`)
}

/** A fresh link for one provider's system-level credential. */
export function createLink(broker: BrokerClient, provider: string) {
  return broker.call(admin.createConsentLink, {
    provider,
    account: '',
    scopes: [],
    variables: {},
    subject: '',
    returnId: '',
    allowAccountChange: true,
  })
}

/** Forgets what an earlier run of the demo has left, or what the walk has made. */
export async function disconnect(broker: BrokerClient, id: string, tell: Tell): Promise<void> {
  const name = { provider: id, account: '' }
  const { revocation } = await broker.call(tokens.disconnect, { ...name, shared: Shared.UNSPECIFIED })
  tell('Disconnect', `revocation at the provider: ${enumName(Revocation, revocation)}`)
  const after = await getToken(broker, id).catch((error: unknown) => error)
  expect(
    after instanceof CliError && after.reason === 'CONSENT_REQUIRED',
    'a token was handed out after Disconnect',
  )
  tell('GetAccessToken', 'refused: CONSENT_REQUIRED')
}

async function getToken(broker: BrokerClient, provider: string, rejectedVersion = ''): Promise<AccessToken> {
  const request = GetAccessTokenRequest.fromPartial({ provider, rejectedVersion })
  const { token } = await broker.call(tokens.getAccessToken, request)
  if (token === undefined) throw new Error('the answer has no token')
  return token
}

async function waitForNext(broker: BrokerClient, id: string, first: AccessToken): Promise<AccessToken> {
  const end = Date.now() + RENEWAL_WAIT_MS
  while (Date.now() < end) {
    await delay(POLL_MS)
    const token = await getToken(broker, id)
    if (token.version !== first.version) return token
  }
  throw new Error('the access token was not renewed')
}

/** Every dialect's first account, which consents in the walk, is the one that its API is asked for. */
async function tryApi(
  { sandbox, sandboxOrigin }: DemoWorld,
  dialect: string,
  token: AccessToken,
  outcome: 'taken' | 'refused',
): Promise<string> {
  const accountId = sandbox.control.listAccounts(dialect)[0]?.id ?? ''
  const { isTaken, words } = await callApi(sandboxOrigin, dialect, token, accountId)
  expect(isTaken === (outcome === 'taken'), `the token was not ${outcome}; the provider answered ${words}`)
  return words
}

function expiry(token: AccessToken): Date {
  return token.expireTime ?? new Date(Number.NaN)
}

function short({ version }: AccessToken): string {
  return version.slice(0, 8)
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
