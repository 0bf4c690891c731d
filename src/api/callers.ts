import { timingSafeEqual } from 'node:crypto'
import type { CallerIdentity } from '../broker/broker.ts'
import { BrokerError } from '../broker/errors.ts'
import type { Clock } from '../broker/ports.ts'
import { hashCallerToken, parseCallerToken } from '../config/caller-token.ts'
import type { AllowRule, CallerConfig } from '../config/config.ts'
import { OPERATOR } from '../config/operator-token.ts'

/** An authenticated caller and what it may do. */
export interface Caller extends CallerIdentity {
  readonly authentication: 'operator_token' | 'static_token'
  readonly allow: readonly AllowRule[]
}

/** Knows callers by their tokens. */
export interface Callers {
  /**
   * @param authorization the values of the call's `authorization` metadata
   * @throws BrokerError `CALLER_UNAUTHENTICATED`; never repeats what was sent
   */
  authenticate(authorization: readonly unknown[]): Caller
}

/** What {@link createCallers} needs. */
export interface CallersOptions {
  /** Lower-case hex of the SHA-256 of the whole operator token, whose holder may do everything. */
  readonly operatorTokenHash: string
  readonly callers: readonly CallerConfig[]
  readonly clock: Pick<Clock, 'now'>
}

interface KnownToken {
  readonly hash: Buffer
  readonly caller: Caller
  readonly expiresAtMs: number
}

/** RFC 6750 section 2.1; the scheme's case is free (RFC 9110 section 11.1). */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i
const HOW_TO_AUTHENTICATE =
  'send the metadata "authorization: Bearer <token>" with the operator token of the data directory ' +
  'or one that "token-broker callers create" has printed'
const EVERYTHING: readonly AllowRule[] = [{ providers: ['*'], accounts: ['*'], methods: ['*'] }]

/** Creates the directory of callers. Of two callers with the same token the first one counts. */
export function createCallers({ operatorTokenHash, callers, clock }: CallersOptions): Callers {
  const tokens = [operatorToken(operatorTokenHash), ...callers.map(staticToken)]
  // The index tells who measures a few bits of a hash at most; the rest is compared in constant time.
  const index = Map.groupBy(tokens, ({ hash }) => hash.readUInt32BE())

  return {
    authenticate(authorization) {
      const token = bearerToken(authorization)
      const hash = Buffer.from(hashCallerToken(token), 'hex')
      const candidates = index.get(hash.readUInt32BE()) ?? []
      const known = candidates.find(candidate => timingSafeEqual(candidate.hash, hash))
      if (known === undefined) throw unauthenticated(whyUnknown(token))
      if (clock.now() >= known.expiresAtMs) throw expired(known)
      return known.caller
    },
  }
}

function operatorToken(hash: string): KnownToken {
  const caller: Caller = { name: OPERATOR, authentication: 'operator_token', allow: EVERYTHING }
  return { hash: Buffer.from(hash, 'hex'), caller, expiresAtMs: Number.POSITIVE_INFINITY }
}

function staticToken({ name, tokenSha256, expiresAtMs, allow }: CallerConfig): KnownToken {
  return {
    hash: Buffer.from(tokenSha256, 'hex'),
    caller: { name, authentication: 'static_token', allow },
    expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
  }
}

function bearerToken(authorization: readonly unknown[]): string {
  const [value, ...more] = authorization
  if (value === undefined) throw unauthenticated('the call carries no caller token')
  if (more.length > 0) throw unauthenticated('the call carries more than one authorization')
  const token = typeof value === 'string' ? BEARER.exec(value)?.[1] : undefined
  if (token === undefined) throw unauthenticated('the authorization is not of the form "Bearer <token>"')
  return token
}

function whyUnknown(token: string): string {
  const parsed = parseCallerToken(token)
  if (parsed.ok) return 'no caller with this token is configured'
  return parsed.reason === 'checksum' ? 'the token is mistyped or damaged' : 'this is no token of a caller'
}

/** Only who has the token learns whose it was. */
function expired({ caller, expiresAtMs }: KnownToken): BrokerError {
  return unauthenticated(
    `the token of the caller ${caller.name} expired at ${new Date(expiresAtMs).toISOString()}`,
  )
}

function unauthenticated(what: string): BrokerError {
  return new BrokerError('CALLER_UNAUTHENTICATED', `${what}; ${HOW_TO_AUTHENTICATE}`)
}
