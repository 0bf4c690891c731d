import type { CallerIdentity } from '../broker/broker.ts'
import type { Clock } from '../broker/ports.ts'
import type { AllowRule, CallerConfig } from '../config/config.ts'
import { OPERATOR } from '../config/operator-token.ts'
import { createJwtDirectory, type JwtDirectory, type VerifiedJwt } from './jwt-callers.ts'
import { isJwt, type JwtVerifier } from './jwt-verifier.ts'
import type { PeerIdentity } from './peer-identity.ts'
import { createStaticTokens, type StaticTokens } from './static-tokens.ts'
import { unauthenticated } from './unauthenticated.ts'

/** An authenticated caller and what it may do. */
export interface Caller extends CallerIdentity {
  readonly authentication: 'operator_token' | 'static_token' | 'mtls' | 'jwt'
  readonly allow: readonly AllowRule[]
  /** How many calls it may begin in a minute. Absent = any number. */
  readonly callsPerMinute?: number
}

/** What a call brings to prove who makes it. */
export interface Credentials {
  /** The values of its `authorization` metadata. */
  readonly authorization: readonly unknown[]
  /** What is known of the client certificate of its connection; asked only if there is no authorization. */
  readonly peer: () => PeerIdentity | undefined
}

/** What a call has proven, whatever the configuration makes of it. */
export type Proof =
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'certificate'; readonly peer: PeerIdentity }
  | { readonly kind: 'jwt'; readonly jwt: VerifiedJwt }

/** Knows callers by what they prove. */
export interface Callers {
  /**
   * Finds out what a call proves. A call that carries an authorization is judged by it alone, also on a
   * connection with a certificate.
   *
   * @returns at once, but for a JWT that was not seen before
   * @throws BrokerError `CALLER_UNAUTHENTICATED`; never repeats what was sent
   */
  authenticate(credentials: Credentials): Proof | Promise<Proof>
  /**
   * Whose proof it is now: tokens end, and so do entries of the configuration.
   *
   * @throws BrokerError `CALLER_UNAUTHENTICATED`
   */
  identify(proof: Proof): Caller
  /** Takes these instead of all configured callers so far, from the next {@link identify} on. */
  replace(callers: readonly CallerConfig[]): void
}

/** What {@link createCallers} needs. */
export interface CallersOptions {
  /**
   * Lower-case hex of the SHA-256 of the whole operator token, whose holder may do everything.
   * Absent = there is none.
   */
  readonly operatorTokenHash?: string
  readonly callers: readonly CallerConfig[]
  /** Absent = no JWT is believed. */
  readonly jwts?: JwtVerifier
  readonly clock: Pick<Clock, 'now'>
}

/** RFC 6750 section 2.1; the scheme's case is free (RFC 9110 section 11.1). */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i
const EVERYTHING: readonly AllowRule[] = [{ providers: ['*'], accounts: ['*'], methods: ['*'] }]
const THE_OPERATOR: Caller = { name: OPERATOR, authentication: 'operator_token', allow: EVERYTHING }

/** All callers of one configuration. */
interface Directory {
  readonly tokens: StaticTokens
  readonly certificates: ReadonlyMap<string, Caller>
  readonly jwts: JwtDirectory
}

/** Creates the directory of callers. Of two callers with the same token the first one counts. */
export function createCallers({ operatorTokenHash, callers, jwts, clock }: CallersOptions): Callers {
  let directory = createDirectory(callers, operatorTokenHash)
  jwts?.trust(callers)

  return {
    authenticate({ authorization, peer }) {
      if (authorization.length === 0) return certificateProof(peer())
      const text = bearerToken(authorization)
      if (!isJwt(text)) return { kind: 'token', text }
      if (jwts === undefined) throw unauthenticated('no issuer of JWTs is configured')
      return jwts.verify(text)
    },
    identify(proof) {
      switch (proof.kind) {
        case 'token':
          return directory.tokens.holderOf(proof.text, clock.now())
        case 'certificate':
          return holderOf(proof.peer, directory.certificates, clock.now())
        case 'jwt':
          return directory.jwts.holderOf(proof.jwt, clock.now())
      }
    },
    replace(callers) {
      jwts?.trust(callers)
      directory = createDirectory(callers, operatorTokenHash)
    },
  }
}

function createDirectory(configs: readonly CallerConfig[], operatorTokenHash?: string): Directory {
  const callers = configs.map(({ name, proof, allow, callsPerMinute }) => {
    return { proof, caller: { name, authentication: proof.kind, allow, callsPerMinute } satisfies Caller }
  })
  const operator = operatorTokenHash === undefined ? [] : [{ sha256: operatorTokenHash }]
  return {
    tokens: createStaticTokens([
      { tokens: operator, caller: THE_OPERATOR },
      ...callers.flatMap(({ proof, caller }) =>
        proof.kind === 'static_token' ? { tokens: proof.tokens, caller } : [],
      ),
    ]),
    certificates: new Map(
      callers.flatMap(({ proof, caller }) =>
        proof.kind === 'mtls' ? [[proof.identity, caller] as const] : [],
      ),
    ),
    jwts: createJwtDirectory(
      callers.flatMap(({ proof, caller }) => (proof.kind === 'jwt' ? { rule: proof, caller } : [])),
    ),
  }
}

function certificateProof(peer: PeerIdentity | undefined): Proof {
  if (peer === undefined) {
    throw unauthenticated(
      'the call carries no caller token, and its connection no trusted client certificate',
    )
  }
  return { kind: 'certificate', peer }
}

function holderOf(peer: PeerIdentity, callers: Directory['certificates'], now: number): Caller {
  if (!peer.ok) throw unauthenticated(`the client certificate names nobody: ${peer.why}`)
  // Only the handshake looked at it, and a connection lasts.
  if (now >= peer.expiresAtMs)
    throw unauthenticated('the client certificate of the connection has expired; connect anew')
  const caller = callers.get(peer.identity)
  if (caller === undefined) throw unauthenticated(`no caller is configured as ${peer.identity}`)
  return caller
}

function bearerToken(authorization: readonly unknown[]): string {
  const [value, ...more] = authorization
  if (more.length > 0) throw unauthenticated('the call carries more than one authorization')
  const token = typeof value === 'string' ? BEARER.exec(value)?.[1] : undefined
  if (token === undefined) throw unauthenticated('the authorization is not of the form "Bearer <token>"')
  return token
}
