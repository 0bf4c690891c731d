import type { Secret } from '../secret.ts'

/** Milliseconds to connect, TLS included; longer is a dead host. */
export const CONNECT_TIMEOUT_MS = 3_000
/** Milliseconds after which a request is given up for good, whoever waits. */
export const HARD_TIMEOUT_MS = 60_000
/** Bytes read of an answer's body. Real token answers are below 10 KiB. */
export const RESPONSE_BYTES_MAX = 64 * 1024

/** One request to a provider. Whatever may carry a secret is a {@link Secret}. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Absolute, `https:`, or `http:` for loopback. May carry a secret in its query. */
  readonly url: Secret
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | Secret>>
  readonly body?: Secret
}

/** One complete answer. */
export interface HttpResponse {
  readonly status: number
  /** Lower-case names; the first value of each. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Secret
}

/** What a provider's own settings change about requests to it. */
export interface HttpOptions {
  /** PEM of the certificate authorities to trust instead of the system's. */
  readonly ca?: string
  /** Which addresses may be connected to. Absent = the public internet alone. */
  readonly reach?: Reach
}

/** Addresses beside those of the public internet that may be connected to. */
export interface Reach {
  /** Ranges such as `10.0.0.0/8`, or single addresses. */
  readonly networks?: readonly string[]
  /** Origins on this machine that stand in the configuration themselves. */
  readonly loopbackOrigins?: readonly string[]
}

/**
 * - `not_sent`: the provider cannot have seen the request (name resolution, a forbidden address, connect, TLS).
 * - `no_answer`: it may have acted, but no complete answer came (reset, hard timeout).
 * - `too_large`: an answer came and exceeded {@link RESPONSE_BYTES_MAX}.
 */
export type HttpFailure = 'not_sent' | 'no_answer' | 'too_large'

/** No usable answer. The message names the host, never the path, the query or a body. */
export class HttpError extends Error {
  readonly failure: HttpFailure

  constructor(failure: HttpFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HttpError'
    this.failure = failure
  }
}

/**
 * The only way out of the process.
 *
 * Connects to the public internet and to what {@link Reach} adds; plain http goes to this machine alone. Follows no
 * redirect (a 3xx is an answer like any other), keeps no cookie, cuts answers at {@link RESPONSE_BYTES_MAX}, ends every request at {@link HARD_TIMEOUT_MS}. Nobody but that deadline
 * aborts a request: a caller that stops waiting must not cost a rotated token.
 *
 * @throws HttpError
 */
export interface Http {
  send(request: HttpRequest, options?: HttpOptions): Promise<HttpResponse>
  /** Ends idle connections. Requests in flight are not cut. */
  close(): Promise<void>
}
