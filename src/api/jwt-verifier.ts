import { createHash } from 'node:crypto'
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose'
import { BrokerError } from '../broker/errors.ts'
import type { Clock, Log } from '../broker/ports.ts'
import { issuerOf } from '../config/caller-conflicts.ts'
import type { CallerConfig, JwksSource } from '../config/config.ts'
import { trustDomainOf } from '../config/spiffe-id.ts'
import type { Proof } from './callers.ts'
import { createJwks, type Jwks } from './jwks.ts'
import { sourceOf, type VerifiedJwt } from './jwt-callers.ts'
import { unauthenticated } from './unauthenticated.ts'

/** Checks the JWTs of callers. */
export interface JwtVerifier {
  /** From now on believes the issuers that these callers name, and no others. */
  trust(callers: readonly CallerConfig[]): void
  /**
   * Checks signature, times and form of a token.
   *
   * @returns at once if it was checked before
   * @throws BrokerError `CALLER_UNAUTHENTICATED`, or `BROKER_UNAVAILABLE` if the issuer's keys cannot be read
   */
  verify(token: string): JwtAnswer | Promise<JwtAnswer>
}
type JwtAnswer = Extract<Proof, { kind: 'jwt' }>

/** What {@link createJwtVerifier} needs. */
export interface JwtVerifierOptions {
  /** Reads a JSON Web Key Set as text; has limits of its own. */
  readonly readKeys: (source: JwksSource) => Promise<string>
  readonly clock: Clock
  readonly log: Log
}

/** Bytes of a token; Node's limit on all headers of a call is of the same size. */
const TOKEN_LENGTH_MAX = 16 * 1024
/** Tokens remembered as checked, about 2 KiB each; forgetting one costs one more check. */
const VERIFIED_MAX = 10_000
/** Milliseconds after which a token is checked anew, so that a key that was withdrawn is not believed for long. */
const RECHECK_MS = 10 * 60_000
/**
 * Checks at a time for each source of keys, because who makes up tokens of one issuer must not hold up another; each
 * takes a fraction of a millisecond unless its issuer is slow.
 */
export const PENDING_MAX = 1_000
/**
 * Tokens that wait for their issuers' keys at a time, all together, 16 KiB each at the most. Each source has an equal
 * part to itself, so that those who are away take nothing from the others.
 */
const ALL_WAITING_MAX = 1_000
const RETRY_MS = 1_000
/** Seconds by which the clock of an issuer may be ahead. An end is an end: it gets none. */
const SKEW_S = 10

/** Where keys come from, and the checks with them that go on, by the hash of their token. */
interface KeySource {
  readonly keys: Jwks
  readonly pending: Map<string, Promise<JwtAnswer>>
}

/** An issuer that is believed. */
interface Issuer extends KeySource {
  readonly source: string
  readonly algorithms: string[]
}

/** One with the name that {@link VerifiedJwt.issuer} has. */
type NamedIssuer = Issuer & { readonly name: string }

/** A token that was checked. */
interface Checked {
  readonly answer: JwtAnswer
  readonly keys: Jwks
  readonly generation: number
  readonly checkedAt: number
}

/** Creates the verifier; it believes nobody yet. */
export function createJwtVerifier({ readKeys, clock, log }: JwtVerifierOptions): JwtVerifier {
  let issuers = new Map<string, Issuer>()
  const checked = new Map<string, Checked>()
  let waitingMax = ALL_WAITING_MAX

  async function check(token: string, id: string, issuer: NamedIssuer): Promise<JwtAnswer> {
    const { keys } = issuer
    const generation = keys.generation()
    const answer: JwtAnswer = { kind: 'jwt', jwt: await verified(token, issuer, clock.now()) }
    remember(id, { answer, keys, generation, checkedAt: clock.monotonic() })
    return answer
  }

  function remember(id: string, entry: Checked): void {
    checked.delete(id)
    const oldest = checked.size >= VERIFIED_MAX ? checked.keys().next().value : undefined
    if (oldest !== undefined) checked.delete(oldest)
    checked.set(id, entry)
  }

  function createSource(source: JwksSource): KeySource {
    const read = () => readKeys(source)
    return {
      keys: createJwks({ read, source, waitingMax: () => waitingMax, clock, log }),
      pending: new Map(),
    }
  }

  function isFresh({ answer, keys, generation, checkedAt }: Checked): boolean {
    const isTrusted = issuers.get(answer.jwt.issuer)?.keys === keys && keys.generation() === generation
    return isTrusted && clock.monotonic() - checkedAt < RECHECK_MS
  }

  return {
    trust(callers) {
      const sources = new Map<string, KeySource>(
        [...issuers.values()].map(({ source, keys, pending }) => [source, { keys, pending }]),
      )
      const next = new Map<string, Issuer>()
      for (const { proof } of callers) {
        if (proof.kind !== 'jwt') continue
        const source = sourceOf(proof)
        const known = sources.get(source) ?? createSource(proof.keys)
        sources.set(source, known)
        const algorithms = next.get(issuerOf(proof))?.algorithms ?? []
        next.set(issuerOf(proof), { ...known, source, algorithms: [...algorithms, ...proof.algorithms] })
      }
      issuers = next
      const count = new Set([...issuers.values()].map(({ source }) => source)).size
      waitingMax = Math.max(1, Math.floor(ALL_WAITING_MAX / count))
      checked.clear()
    },
    verify(token) {
      if (token.length > TOKEN_LENGTH_MAX) throw unauthenticated('the JWT is longer than 16 KiB')
      const id = createHash('sha256').update(token).digest('base64')
      const known = checked.get(id)
      if (known !== undefined && isFresh(known)) return known.answer
      const issuer = issuerFor(token, issuers)
      const { pending } = issuer
      const running = pending.get(id)
      if (running !== undefined) return running
      if (pending.size >= PENDING_MAX) throw busy()
      const answer = check(token, id, issuer).finally(() => pending.delete(id))
      pending.set(id, answer)
      return answer
    },
  }
}

/** Whether a bearer token is meant to be a JWT: three parts, the first of which is a map in base64url. */
export function isJwt(token: string): boolean {
  return token.startsWith('ey') && token.split('.').length === 3
}

/** What the token says before anything of it is believed decides only which keys it has to be signed with. */
function issuerFor(token: string, issuers: ReadonlyMap<string, Issuer>): NamedIssuer {
  const claims = decoded(() => decodeJwt(token))
  const issuer = claims.iss ?? trustDomainOf(String(claims.sub))
  const trusted = typeof issuer === 'string' ? issuers.get(issuer) : undefined
  if (typeof issuer !== 'string' || trusted === undefined) {
    throw unauthenticated('no caller is configured with the issuer of this JWT')
  }
  return { name: issuer, ...trusted }
}

async function verified(token: string, issuer: NamedIssuer, now: number): Promise<VerifiedJwt> {
  const { name, source, algorithms, keys } = issuer
  try {
    // Only the key id and the algorithm are taken from the header: jku, jwk, x5u and x5c are not looked at.
    const { payload, protectedHeader } = await jwtVerify(token, keys.keyFor, {
      algorithms,
      currentDate: new Date(now),
      clockTolerance: SKEW_S,
      requiredClaims: ['exp', 'iat', 'aud', 'sub'],
    })
    const { alg: algorithm, typ } = protectedHeader
    return { issuer: name, source, algorithm, type: typeOf(typ), ...checkClaims(payload, now) }
  } catch (error) {
    throw error instanceof errors.JOSEError ? unauthenticated(whyNot(error)) : error
  }
}

/** What the library leaves to us. */
function checkClaims(
  claims: JWTPayload,
  now: number,
): Pick<VerifiedJwt, 'claims' | 'lifetimeMs' | 'expiresAtMs'> {
  const { exp, iat, sub, cnf } = claims
  if (typeof exp !== 'number' || typeof iat !== 'number' || typeof sub !== 'string') {
    throw unauthenticated('the JWT lacks exp, iat or sub, or they are of the wrong type')
  }
  if (now >= exp * 1_000) throw unauthenticated('the JWT has expired')
  if (iat * 1_000 > now + SKEW_S * 1_000) throw unauthenticated('the JWT was issued in the future')
  // RFC 8705 and RFC 9449: whoever merely has it must not be believed.
  if (cnf !== undefined) throw unauthenticated('the JWT is bound to a key, which a bearer does not prove')
  return { claims, lifetimeMs: (exp - iat) * 1_000, expiresAtMs: exp * 1_000 }
}

function typeOf(type: unknown): string | undefined {
  return type === undefined
    ? undefined
    : String(type)
        .toLowerCase()
        .replace(/^application\//, '')
}

function decoded<T>(decode: () => T): T {
  try {
    return decode()
  } catch {
    throw unauthenticated('the JWT is damaged')
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the JWT has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the JWT is wrong',
  ERR_JWKS_NO_MATCHING_KEY: 'the JWT is signed with a key that its issuer does not have',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'the JWT does not say with which key of its issuer it is signed',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the JWT is signed with an algorithm that is not allowed',
}

function whyNot(error: errors.JOSEError): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `the JWT is not accepted: its claim ${error.claim} is ${error.reason === 'missing' ? 'missing' : 'wrong or not yet valid'}`
  }
  return SENTENCES[error.code] ?? 'the JWT is damaged'
}

function busy(): BrokerError {
  return new BrokerError('BROKER_UNAVAILABLE', 'too many JWTs of this issuer are being checked; try again', {
    retryAfterMs: RETRY_MS,
  })
}
