import type { Definition, ExpiryRule, ScopeRule } from '../providers/definition.ts'
import { Secret } from '../secret.ts'
import { parseTime, readBody, textAt, valueAt, withoutControls } from './json.ts'

/** Longest token that is taken; the largest seen in the field are a few KiB. */
const TOKEN_LENGTH_MAX = 16 * 1024
/** Longest identifier, name or attribute that is kept. */
const TEXT_LENGTH_MAX = 1024
/** Lifetimes beyond ten years are read as ten years: nobody means them, and they overflow dates. */
const LIFETIME_SECONDS_MAX = 10 * 365 * 86_400

export type Expiry = 'STATED' | 'ASSUMED' | 'NEVER' | 'UNKNOWN'

/** What a token endpoint answered, as far as it could be read. */
export interface TokenAnswer {
  readonly accessToken: Secret
  /** Absent = keep the one that was sent (RFC 6749 section 6). */
  readonly refreshToken?: Secret
  readonly tokenType: string
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number
  readonly expiry: Expiry
  readonly refreshExpiresAt?: number
  /** Absent = the answer does not tell. */
  readonly scopes?: readonly string[]
  readonly providerAccountId: string
  readonly providerAccountName: string
  readonly attributes: Readonly<Record<string, string>>
  /** When the request was sent; lifetimes count from there. */
  readonly sentAt: number
}

/** What a verify operation told beside its verdict. */
export interface VerifiedFacts {
  readonly providerAccountId?: string
  readonly providerAccountName?: string
  readonly scopes?: readonly string[]
  readonly expiresAt?: number
}

/**
 * Reads a token answer leniently: whatever is odd about an optional field, a usable token is not thrown away.
 *
 * @returns `undefined` if there is no usable access token
 */
export function readTokenAnswer(
  definition: Definition,
  body: Secret,
  root: string | undefined,
  sentAt: number,
): TokenAnswer | undefined {
  const { answer } = definition
  const payload = payloadOf(body, root)
  const accessToken = tokenAt(payload, answer.access_token)
  if (accessToken === undefined) return undefined
  return {
    accessToken,
    refreshToken: tokenAt(payload, answer.refresh_token),
    tokenType: textAt(payload, answer.token_type, TEXT_LENGTH_MAX) || 'Bearer',
    ...expiryOf(definition, payload, sentAt),
    refreshExpiresAt: answer.refresh_expires && timeAt(payload, answer.refresh_expires, sentAt),
    scopes: scopesAt(payload, answer.scope),
    providerAccountId: optionalText(payload, answer.provider_account_id) ?? '',
    providerAccountName: optionalText(payload, answer.name) ?? '',
    attributes: attributesOf(payload, answer.attributes),
    sentAt,
  }
}

/** The refresh token of an answer that {@link readTokenAnswer} cannot use. */
export function readRefreshToken(
  { answer }: Definition,
  body: Secret,
  root: string | undefined,
): Secret | undefined {
  return tokenAt(payloadOf(body, root), answer.refresh_token)
}

function payloadOf(body: Secret, root: string | undefined): unknown {
  return root === undefined ? readBody(body) : valueAt(readBody(body), root)
}

/** Reads what `yields` names; a fact that is absent or odd stays unknown. */
export function readVerifiedFacts(
  yields: NonNullable<Definition['operations']['verify']>['yields'],
  payload: unknown,
  sentAt: number,
): VerifiedFacts {
  return {
    providerAccountId: optionalText(payload, yields.provider_account_id),
    providerAccountName: optionalText(payload, yields.name),
    scopes: yields.scope && scopesAt(payload, yields.scope),
    expiresAt: yields.expires && timeAt(payload, yields.expires, sentAt),
  }
}

function expiryOf(
  { answer }: Definition,
  payload: unknown,
  sentAt: number,
): { readonly expiresAt?: number; readonly expiry: Expiry } {
  const stated = timeAt(payload, answer.expires, sentAt)
  if (stated !== undefined) return { expiresAt: stated, expiry: 'STATED' }
  const assumed = answer.assume_expires_in
  if (assumed === undefined) return { expiry: 'UNKNOWN' }
  if (assumed === 'never') return { expiry: 'NEVER' }
  return { expiresAt: sentAt + assumed * 1000, expiry: 'ASSUMED' }
}

function timeAt(payload: unknown, rule: ExpiryRule, sentAt: number): number | undefined {
  const seconds = secondsLeft(valueAt(payload, rule.at), rule.as, sentAt)
  // Zero means "does not expire" to some providers, the year 1 to others, and both are nonsense from the rest; what
  // has just been issued is not past its end but by a clock that is wrong. Unknown is right for all of them.
  if (!Number.isFinite(seconds) || seconds <= 0) return undefined
  return sentAt + Math.round(Math.min(seconds, LIFETIME_SECONDS_MAX) * 1000)
}

/** Seconds from `sentAt` to the end that a value states; not a number if it states none. */
function secondsLeft(value: unknown, as: ExpiryRule['as'], sentAt: number): number {
  if (as === 'iso8601') {
    const time = typeof value === 'string' ? parseTime(value) : undefined
    return time === undefined ? Number.NaN : (time - sentAt) / 1000
  }
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof seconds !== 'number') return Number.NaN
  return as === 'unix' ? seconds - sentAt / 1000 : seconds
}

function scopesAt(payload: unknown, rule: ScopeRule): readonly string[] | undefined {
  const value = valueAt(payload, rule.at)
  const parts = typeof value === 'string' ? value.split(new RegExp(rule.split)) : value
  if (!Array.isArray(parts)) return undefined
  const scopes = parts.filter(part => typeof part === 'string').map(withoutControls)
  return [...new Set(scopes.filter(scope => scope !== ''))]
}

/** A token is visible ASCII (RFC 6749 appendix A.12). */
function tokenAt(payload: unknown, pointer: string): Secret | undefined {
  const value = valueAt(payload, pointer)
  if (typeof value !== 'string' || value.length > TOKEN_LENGTH_MAX) return undefined
  return /^[\x21-\x7e]+$/.test(value) ? new Secret(value) : undefined
}

function optionalText(payload: unknown, pointer: string | undefined): string | undefined {
  return pointer === undefined ? undefined : textAt(payload, pointer, TEXT_LENGTH_MAX) || undefined
}

function attributesOf(payload: unknown, pointers: Readonly<Record<string, string>>): Record<string, string> {
  const found = Object.entries(pointers).map(([name, pointer]) => [name, optionalText(payload, pointer)])
  return Object.fromEntries(found.filter(([, value]) => value !== undefined))
}
