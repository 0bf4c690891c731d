import type { Account } from './accounts.ts'
import type { Behavior, BehaviorPatch } from './behavior.ts'
import type { Refusal } from './errors.ts'
import type { Realm, TokenPrefixes } from './realm.ts'
import type { DialectRequest, Parameters } from './request.ts'
import type { ScopeRules } from './scopes.ts'

/**
 * What requests are for, in the definitions' words; `client_credentials` counts as a refresh. `callback` is
 * the way back to the client, `api` the protected example API, `trap` the place of those who follow redirects.
 */
export const OPERATIONS = [
  'authorize',
  'callback',
  'exchange',
  'refresh',
  'revoke',
  'verify',
  'discovery',
  'api',
  'trap',
] as const
export type Operation = (typeof OPERATIONS)[number]

/** What goes back over HTTP. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** At most one of the two; neither = no body. */
  readonly json?: unknown
  readonly html?: string
}

/** An authorization request as a dialect has read it. */
export interface AuthorizeRequest {
  readonly clientId?: string
  readonly redirectUri?: string
  readonly responseType?: string
  readonly scopes: readonly string[]
  readonly state?: string
  /** Both absent where the dialect knows no PKCE. */
  readonly challenge?: string
  readonly challengeMethod?: string
}

/** What the browser carries back to the client. */
export type CallbackOutcome =
  | { readonly kind: 'allowed'; readonly code: string; readonly scopes: readonly string[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Where the browser goes with it. */
interface CallbackTarget {
  readonly state?: string
  /** The dialect's own base URL, for `iss` (RFC 9207). */
  readonly issuer: string
}

/** One path of a dialect's server, beside the authorization endpoint. */
export interface Endpoint {
  readonly method: 'GET' | 'POST'
  /** Below the dialect's base, with a leading slash; literal, also in its trailing slash. */
  readonly path: string
  /** What this request is for; faults and counts go by it. */
  operation(request: DialectRequest): Operation
  /**
   * Acts and answers.
   *
   * @param base the dialect's base URL, for example `http://127.0.0.1:8087/oauth2`
   * @throws Refusal which the dialect's `refuse` then writes
   */
  answer(realm: Realm, request: DialectRequest, base: string): Answer
}

/**
 * How one authorization server speaks: it reads requests and writes answers. All state and every decision
 * about grants is in the shared core, so that a dialect stays one small file.
 *
 * A dialect is written from the provider's documentation, never from the definition of the same name: both
 * would agree in error.
 */
export interface Dialect {
  /** The first segment of its paths, and the id of the definition that it answers. */
  readonly id: string
  /** What the consent page calls the provider. */
  readonly title: string
  readonly prefixes: TokenPrefixes
  readonly behavior: Behavior
  /** What differs for grants that were asked for with a `code_challenge`; absent = nothing. */
  readonly pkceBehavior?: BehaviorPatch
  readonly accounts: readonly [Account, ...Account[]]
  readonly scopes: ScopeRules
  readonly authorize: {
    readonly path: string
    /** @throws Refusal `invalid_request` */
    read(query: Parameters): AuthorizeRequest
    /** The parameters of the redirect back. */
    callback(outcome: CallbackOutcome, target: CallbackTarget): Record<string, string | undefined>
    /** What a successful redirect back carries behind `#`; absent = nothing. */
    readonly fragment?: string
  }
  readonly endpoints: readonly Endpoint[]
  /** The client that a request claims to come from; undefined where it does not say. Checks nothing. */
  clientIdOf(request: DialectRequest): string | undefined
  /** Writes a refusal as this server words it. */
  refuse(refusal: Refusal, operation: Operation, request: DialectRequest): Answer
  /** The body that goes with 429 and 5xx. */
  trouble(status: number): unknown
  /** Where a success answer of exchange and refresh keeps its parts, so that faults can disturb them. */
  readonly tokenAnswer: {
    /** The member that holds them; absent = the top. */
    readonly root?: string
    readonly expires: string
    readonly tokenType: string
    /** Absent where the answer has no scope. */
    readonly scope?: string
  }
}
