/**
 * Why the control API or a start was refused.
 *
 * - `not_loopback`: the sandbox was told to listen where others can reach it.
 * - `invalid`: an option or a control request is malformed.
 * - `not_found`: it names a client, an account, a fault or a dialect that is not there.
 * - `forbidden`: a web page tried to control the sandbox.
 */
export type SandboxReason = 'not_loopback' | 'invalid' | 'not_found' | 'forbidden'

/** A mistake in how the sandbox is used, for whoever started or controls it. */
export class SandboxError extends Error {
  readonly reason: SandboxReason

  constructor(reason: SandboxReason, message: string) {
    super(message)
    this.name = 'SandboxError'
    this.reason = reason
  }
}

/** The error codes of RFC 6749 sections 4.1.2.1 and 5.2 that the sandbox uses. */
export type RefusalCode =
  | 'access_denied'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'

/**
 * What the authorization server answers to a client that did something wrong. Thrown by the shared core,
 * written out by the dialect in its own words.
 */
export class Refusal extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, description: string) {
    super(description)
    this.name = 'Refusal'
    this.code = code
  }
}
