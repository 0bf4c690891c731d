import { z } from 'zod'
import { isData } from '../providers/merge.ts'
import { jwtSchema, readJwt } from './caller-jwt.ts'
import type { CallerProof, CertificateProof, StaticToken } from './config.ts'
import type { ReadFile } from './files.ts'
import { attempt, Mistake } from './mistake.ts'
import type { ConfigPath, Report } from './problem.ts'
import { type ReadSecret, sourceSchema } from './secret-source.ts'
import { text } from './shape.ts'
import { parseSpiffeId } from './spiffe-id.ts'

/** Of one caller: the one in use and the one that replaces it. */
const TOKENS_MAX = 2
/** RFC 1035 section 2.3.4, written as text. */
const DNS_NAME_LENGTH_MAX = 253
const DNS_NAME = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/
const SHA256 = /^[0-9A-Fa-f]{64}$/
const NOT_SHA256 =
  'expected the SHA-256 of the token as 64 hex digits, as `token-broker callers create` prints it'

const ONLY_TOKENS_EXPIRE = 'is only for token_sha256; certificates and JWTs say themselves when they end'

const literal = text(parseSha256)
const hash = z.union([literal, sourceSchema])
const expiry = text(parseExpiry)

/** The keys of a caller by which it is known; exactly one of them without `expires`. */
export const proofShape = {
  token_sha256: z.union([literal, sourceSchema, z.array(hash).min(1).max(TOKENS_MAX)]).optional(),
  expires: z.union([expiry, z.array(expiry).min(1).max(TOKENS_MAX)]).optional(),
  spiffe: text(parseSpiffeId).optional(),
  dns: text(parseDnsName).optional(),
  jwt: jwtSchema.optional(),
}
const proofSchema = z.object(proofShape)
type WrittenProof = z.output<typeof proofSchema>

const WAYS = ['token_sha256', 'spiffe', 'dns', 'jwt'] as const

/** Finds what does not fit together in an entry, whatever else is wrong with it. */
export function provesItself(value: WrittenProof, context: z.core.$RefinementCtx<WrittenProof>): void {
  // What is malformed has no value here; it was said already.
  const malformed = new Set(context.issues.map(({ path }) => path?.[0]))
  const isThere = (key: keyof WrittenProof) => value[key] !== undefined || malformed.has(key)
  const refuse = (key: string, message: string) =>
    context.addIssue({ code: 'custom', path: [key], message, input: undefined })
  const [first, second] = WAYS.filter(isThere)
  if (first === undefined) refuse('token_sha256', 'is missing; or one of spiffe, dns and jwt')
  if (second !== undefined) {
    refuse(second, `stands beside ${first}; a caller is known by one of them, so make two callers`)
  }
  if (first !== 'token_sha256') {
    if (first !== undefined && isThere('expires')) refuse('expires', ONLY_TOKENS_EXPIRE)
    return
  }
  const tokens = Array.isArray(value.token_sha256) ? value.token_sha256.length : 1
  if (Array.isArray(value.expires) && value.expires.length !== tokens) {
    refuse('expires', 'expected one date for all tokens, or as many as there are in token_sha256')
  }
}

/** For {@link provesItself}: it says something about every map. */
export const whenMap = { when: ({ value }: z.core.ParsePayload) => isData(value) }

/** What proofs are read with. */
export interface ProofParts {
  readonly readSecret: ReadSecret
  readonly readFile: ReadFile
  /** Relative paths start here. */
  readonly folder: string
  readonly report: Report
}

/** Reads what a caller is known by. @returns undefined after a report */
export async function readProof(
  written: WrittenProof,
  path: ConfigPath,
  parts: ProofParts,
): Promise<CallerProof | undefined> {
  if (written.jwt !== undefined) return readJwt(written.jwt, [...path, 'jwt'], parts)
  if (written.token_sha256 === undefined) return { kind: 'mtls', identity: identityOf(written) }
  const tokens = await readTokens(written, [...path, 'token_sha256'], parts)
  return tokens && { kind: 'static_token', tokens }
}

/** The name in a certificate, with its kind, as {@link CertificateProof} has it. */
function identityOf({ spiffe, dns }: WrittenProof): CertificateProof['identity'] {
  return spiffe ?? `dns:${dns}`
}

async function readTokens(
  { token_sha256: written, expires }: WrittenProof,
  path: ConfigPath,
  { readSecret, report }: ProofParts,
): Promise<StaticToken[] | undefined> {
  const hashes = Array.isArray(written) ? written : [written]
  const tokens = await Promise.all(
    hashes.map((hash, index) =>
      attempt(report, Array.isArray(written) ? [...path, index] : path, async (): Promise<StaticToken> => {
        const sha256 = typeof hash === 'string' ? hash : parseSha256((await readSecret(hash ?? {})).expose())
        return { sha256, expiresAtMs: Array.isArray(expires) ? expires[index] : expires }
      }),
    ),
  )
  const known = tokens.filter(token => token !== undefined)
  return known.length === tokens.length ? known : undefined
}

function parseSha256(written: string): string {
  if (written.startsWith('tb_')) {
    throw new Mistake(
      'is the token itself; make a new one with `token-broker callers create`, keep its SHA-256',
    )
  }
  if (!SHA256.test(written)) throw new Mistake(NOT_SHA256)
  return written.toLowerCase()
}

const isDate = z.union([z.iso.date(), z.iso.datetime({ offset: true })])

/** A date is its first moment in UTC. */
function parseExpiry(written: string): number {
  if (!isDate.safeParse(written).success) {
    throw new Mistake('expected a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z')
  }
  return Date.parse(written)
}

function parseDnsName(written: string): string {
  const name = written.toLowerCase()
  if (name.length > DNS_NAME_LENGTH_MAX || !DNS_NAME.test(name)) {
    throw new Mistake('expected one DNS name such as reports.internal.example, without *')
  }
  return name
}
