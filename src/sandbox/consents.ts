import { BoundedMap } from './bounded-map.ts'
import { redirectUriFor } from './clients.ts'
import type { AuthorizeRequest, CallbackOutcome, Dialect } from './dialect.ts'
import { Refusal } from './errors.ts'
import { issueCode } from './exchange.ts'
import { checkChallenge } from './pkce.ts'
import type { Realm } from './realm.ts'
import type { Parameters } from './request.ts'
import { resolveScopes } from './scopes.ts'

/** How long a consent page can be answered: as long as providers usually give. */
const CONSENT_LIFETIME_MS = 10 * 60_000
/** Consent pages that wait at once; the oldest goes first. */
const CONSENTS_MAX = 1_000

/** A consent that waits for its user. */
export interface Consent {
  readonly id: string
  readonly clientId: string
  /** Where the answer goes. */
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly request: AuthorizeRequest
  readonly expiresAt: number
}

/**
 * What an authorization request leads to. With `mistake` nothing may be sent to the redirect URI, because it
 * is not known to be the client's (RFC 6749 section 4.1.2.1); with `refused` the client is told.
 */
type Opened =
  | { readonly kind: 'mistake'; readonly message: string }
  | {
      readonly kind: 'refused'
      readonly redirectUri: string
      readonly state?: string
      readonly refusal: Refusal
    }
  | { readonly kind: 'open'; readonly consent: Consent }

/** What the user decided. */
export interface Decision {
  readonly allow: boolean
  readonly accountId: string | undefined
  readonly scopes: readonly string[]
}

/** The consents of one dialect's server. */
export interface Consents {
  open(query: Parameters): Opened
  /** undefined if it is unknown, decided or too old. */
  find(id: string): Consent | undefined
  /**
   * Settles a consent, once. Scopes that were not asked for are ignored; none at all is a denial.
   *
   * @throws Refusal `invalid_request` if there is no such account; the consent stays open then
   */
  decide(consent: Consent, decision: Decision): CallbackOutcome
  reset(): void
}

export function createConsents(dialect: Dialect, realm: Realm): Consents {
  const consents = new BoundedMap<Consent>(CONSENTS_MAX)

  return {
    open(query) {
      const opened = read(dialect, realm, query)
      if (opened.kind === 'open') consents.set(opened.consent.id, opened.consent)
      return opened
    },
    find(id) {
      const consent = consents.get(id)
      return consent !== undefined && realm.now() < consent.expiresAt ? consent : undefined
    },
    decide(consent, decision) {
      const outcome = settle(realm, consent, decision)
      consents.delete(consent.id)
      return outcome
    },
    reset: () => consents.clear(),
  }
}

function read(dialect: Dialect, realm: Realm, query: Parameters): Opened {
  try {
    return open(dialect, realm, dialect.authorize.read(query))
  } catch (error) {
    // A repeated parameter may be the redirect URI itself.
    if (error instanceof Refusal) return { kind: 'mistake', message: `${error.message}.` }
    throw error
  }
}

function open(dialect: Dialect, realm: Realm, request: AuthorizeRequest): Opened {
  const { clientId = '', state } = request
  const client = realm.clients.get(clientId)
  if (client === undefined) {
    return { kind: 'mistake', message: 'The client_id is missing or unknown; register the client first.' }
  }
  const redirectUri = redirectUriFor(client, request.redirectUri)
  if (redirectUri === undefined) {
    return {
      kind: 'mistake',
      message: 'The redirect_uri is not registered for this client; register it first.',
    }
  }
  try {
    checkRequest(request, client.clientSecret === null || realm.behaviors.of(clientId).requiresPkce)
    const scopes = resolveScopes(request.scopes, dialect.scopes)
    const expiresAt = realm.now() + CONSENT_LIFETIME_MS
    const id = realm.mint('consent')
    return { kind: 'open', consent: { id, clientId, redirectUri, scopes, request, expiresAt } }
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', redirectUri, state, refusal: error }
    throw error
  }
}

function checkRequest(
  { responseType, challenge, challengeMethod }: AuthorizeRequest,
  needsPkce: boolean,
): void {
  if (responseType === undefined) throw new Refusal('invalid_request', 'response_type is missing')
  if (responseType !== 'code') throw new Refusal('unsupported_response_type', 'response_type must be code')
  checkChallenge(challenge, challengeMethod)
  if (needsPkce && challenge === undefined) throw new Refusal('invalid_request', 'code_challenge is missing')
}

function settle(realm: Realm, consent: Consent, { allow, accountId, scopes }: Decision): CallbackOutcome {
  const granted = consent.scopes.filter(scope => scopes.includes(scope))
  if (!allow || granted.length === 0) {
    return { kind: 'refused', refusal: new Refusal('access_denied', 'the user denied the request') }
  }
  const account = realm.accounts.get(accountId ?? '')
  if (account === undefined) throw new Refusal('invalid_request', 'There is no such account')
  const { redirectUri, challenge } = consent.request
  const code = issueCode(realm, {
    clientId: consent.clientId,
    account,
    scopes: granted,
    redirectUri,
    challenge,
  })
  return { kind: 'allowed', code, scopes: granted }
}
