import { createHash } from 'node:crypto'
import { Refusal } from './errors.ts'

/** What RFC 7636 section 4.1 allows as a verifier. */
const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/
/** A SHA-256 in base64url without padding. */
const CHALLENGE = /^[A-Za-z0-9\-_]{43}$/

/**
 * Checks the challenge of an authorization request (RFC 7636 section 4.3). The `plain` method, which is also
 * what an absent method means, is refused: it protects nothing.
 *
 * @throws Refusal `invalid_request`
 */
export function checkChallenge(challenge: string | undefined, method: string | undefined): void {
  if (challenge === undefined && method === undefined) return
  if (method !== 'S256') throw new Refusal('invalid_request', 'code_challenge_method must be S256')
  if (challenge === undefined || !CHALLENGE.test(challenge)) {
    throw new Refusal('invalid_request', 'code_challenge must be 43 characters of base64url')
  }
}

/**
 * Checks the verifier of an exchange (RFC 7636 section 4.6). A verifier without a challenge is refused too:
 * somebody may have stripped the challenge on its way (RFC 9700 section 4.8.2).
 *
 * @throws Refusal `invalid_grant`
 */
export function checkVerifier(challenge: string | undefined, verifier: string | undefined): void {
  if (challenge === undefined && verifier === undefined) return
  if (challenge === undefined)
    throw new Refusal('invalid_grant', 'code_verifier sent, but no code_challenge was')
  if (verifier === undefined || !VERIFIER.test(verifier) || s256(verifier) !== challenge) {
    throw new Refusal('invalid_grant', 'code_verifier does not match the code_challenge')
  }
}

function s256(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}
