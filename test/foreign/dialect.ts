import type { IncomingHttpHeaders } from 'node:http'
import type { Upstream } from './upstream.ts'

/** A request of the broker, read. */
export interface Incoming {
  readonly headers: IncomingHttpHeaders
  readonly query: URLSearchParams
  /** How the body was encoded; absent = neither of the two, or no body. */
  readonly encoding: 'form' | 'json' | undefined
  /** Its members; empty where there is none that could be read. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What the broker is answered. Without a body nothing is sent but the status. */
export interface Answer {
  readonly status: number
  readonly body?: unknown
}

/** What a consent page was asked for, in the words of RFC 6749. */
export interface Authorization {
  readonly clientId: string
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly state: string
}

/** How the user decided, in the words of RFC 6749. */
export type Decision =
  | { readonly code: string; readonly scopes: readonly string[] }
  | { readonly error: string; readonly description: string }

/** How the browser goes back, beside its `state`. */
export interface Return {
  readonly query: Readonly<Record<string, string>>
  /** Behind the query, where the provider has one; nobody but browsers sees it. */
  readonly fragment?: string
}

/**
 * The shape of one provider's requests and answers, strictly: what its documentation does not name is refused. It
 * decides nothing: grants, rotation and refusals are those of the server behind it.
 */
export interface Dialect {
  /** The built-in definition that is to speak it. */
  readonly definition: string
  /** Whether the provider replaces refresh tokens; the server behind it then kills the grant of one that comes twice. */
  readonly rotates: boolean
  /** How long its answers say that refresh tokens live; absent = they do not say. */
  readonly refreshTokenDays?: number
  /** Whether the client can end a grant. */
  readonly revokes: boolean
  /** Whether a wrong client secret can be told from a dead grant. */
  readonly tellsWrongSecret: boolean
  /** Whether a consent that leaves a scope out is none. */
  readonly needsEveryScope: boolean
  /** A scope that lets the account be seen and another one, as the provider calls them. */
  readonly scopes: { readonly identity: string; readonly other: string }
  readonly authorizePath: string
  /** @returns undefined where the provider would show its error page */
  readAuthorization(query: URLSearchParams): Authorization | undefined
  /** Lays the decision into the URL with which the browser goes back. */
  callback(decision: Decision): Return
  /** What the callback's `code` stands for. */
  codeOf(sent: unknown): string
  /** By method and path. */
  routes(upstream: Upstream): Readonly<Record<string, (incoming: Incoming) => Promise<Answer>>>
  /** A call of the provider's API that any living token of the account may make. */
  readonly apiCall: { readonly method: 'GET' | 'POST'; readonly path: string }
}

/** Whether exactly these parameters were sent, each of them a text that is not empty. */
export function holdsExactly(
  parameters: Readonly<Record<string, unknown>> | URLSearchParams,
  ...names: readonly string[]
): boolean {
  const entries = parameters instanceof URLSearchParams ? [...parameters] : Object.entries(parameters)
  return (
    entries.length === names.length &&
    entries.every(([name, value]) => names.includes(name) && typeof value === 'string' && value !== '')
  )
}

/** The token of an `Authorization: Bearer` header; empty where there is none. */
export function bearerOf({ authorization = '' }: IncomingHttpHeaders): string {
  return /^Bearer (\S+)$/.exec(authorization)?.[1] ?? ''
}
