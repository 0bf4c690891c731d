import { resolve } from 'node:path'
import { z } from 'zod'
import { duration } from '../providers/duration.ts'
import { parseNetwork } from './address.ts'
import { checkEndpoint } from './base-url.ts'
import { PEM_BYTES_MAX, requireAuthorities } from './certificates.ts'
import type { JwksSource, JwtProof } from './config.ts'
import { type ReadFile, readText } from './files.ts'
import { attempt, Mistake } from './mistake.ts'
import type { ConfigPath, Report } from './problem.ts'
import { text, whenWellFormed } from './shape.ts'
import { trustDomainOf } from './spiffe-id.ts'

/** Signatures with a private key only: with HS256 whoever can check a token could make one. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const
const ALGORITHMS_DEFAULT: readonly (typeof ALGORITHMS)[number][] = ['RS256', 'ES256', 'EdDSA']
/** Milliseconds; tokens of workloads live for an hour or less, those of CI systems for a working day. */
const LIFETIME_MS_DEFAULT = 24 * 3_600_000
/** Beyond that it is a static token that nobody can take back. */
const LIFETIME_MS_MAX = 30 * 24 * 3_600_000
const LIFETIME_MS_MIN = 1_000
/** Characters of one value. */
const VALUE_LENGTH_MAX = 2_048
/** Claims of one caller. */
const CLAIMS_MAX = 20
/** Ranges in which the keys of one issuer may be. */
const NETWORKS_MAX = 100
/** Claims that keys of their own are for, or that are checked anyway. */
const OWN_CLAIMS = ['iss', 'aud', 'sub', 'exp', 'nbf', 'iat']

/** What is said of a request, where there is one. */
const ONLY_URL = ['jwks_token_file', 'ca', 'allow_networks'] as const

const value = z.string().min(1).max(VALUE_LENGTH_MAX)

/** `jwt` of a caller. */
export const jwtSchema = z
  .strictObject({
    issuer: value.optional(),
    audience: value,
    subject: text(parseSubject),
    jwks_url: text(parseKeysUrl).optional(),
    jwks_file: value.optional(),
    jwks_token_file: value.optional(),
    ca: value.optional(),
    allow_networks: z.array(text(parseNetwork)).max(NETWORKS_MAX).optional(),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .default([...ALGORITHMS_DEFAULT]),
    max_lifetime: duration
      .refine(ms => ms >= LIFETIME_MS_MIN && ms <= LIFETIME_MS_MAX, 'expected a duration from 1s to 30d')
      .default(LIFETIME_MS_DEFAULT),
    typ: text(parseType).optional(),
    claims: z
      .record(value, z.union([value, z.number(), z.boolean()]))
      .refine(claims => Object.keys(claims).length <= CLAIMS_MAX, `expected at most ${CLAIMS_MAX} claims`)
      .refine(claims => !OWN_CLAIMS.some(name => Object.hasOwn(claims, name)), {
        error: 'iss, aud and sub have keys of their own, and times are always checked',
      })
      .default({}),
  })
  .refine(({ jwks_url: url, jwks_file: file }) => (url === undefined) !== (file === undefined), {
    error: 'expected exactly one of jwks_url and jwks_file',
    ...whenWellFormed,
  })
  .refine(jwt => jwt.jwks_url !== undefined || ONLY_URL.every(key => jwt[key] === undefined), {
    error: 'ca, allow_networks and jwks_token_file are only for jwks_url',
    ...whenWellFormed,
  })
  .refine(({ issuer, subject }) => issuer !== undefined || trustDomainOf(subject) !== undefined, {
    error: 'is missing; only SPIFFE JWT-SVIDs, whose subject starts with spiffe://, may have no issuer',
    path: ['issuer'],
    ...whenWellFormed,
  })

type WrittenJwt = z.output<typeof jwtSchema>

/** What is needed to read one. */
interface JwtParts {
  readonly readFile: ReadFile
  /** Relative paths start here. */
  readonly folder: string
  readonly report: Report
}

/** Completes what a file says of tokens. @returns undefined after a report */
export async function readJwt(
  written: WrittenJwt,
  path: ConfigPath,
  parts: JwtParts,
): Promise<JwtProof | undefined> {
  const keys = await readSource(written, path, parts)
  return (
    keys && {
      kind: 'jwt',
      issuer: written.issuer,
      audience: written.audience,
      subject: written.subject,
      keys,
      algorithms: written.algorithms,
      maxLifetimeMs: written.max_lifetime,
      typ: written.typ,
      claims: new Map(Object.entries(written.claims)),
    }
  )
}

async function readSource(
  written: WrittenJwt,
  path: ConfigPath,
  { readFile, folder, report }: JwtParts,
): Promise<JwksSource | undefined> {
  const { jwks_url: url, jwks_file: file, jwks_token_file: tokenFile, ca } = written
  if (url === undefined) return { kind: 'file', path: resolve(folder, file ?? '') }
  const source: JwksSource = {
    kind: 'url',
    url,
    tokenFile: tokenFile === undefined ? undefined : resolve(folder, tokenFile),
    allowNetworks: written.allow_networks,
  }
  if (ca === undefined) return source
  return attempt(report, [...path, 'ca'], async () => {
    const pem = ca.includes('-----BEGIN') ? ca : await readText(readFile, resolve(folder, ca), PEM_BYTES_MAX)
    requireAuthorities(pem)
    return { ...source, ca: pem }
  })
}

/** One subject, or the beginning of several; of a SPIFFE ID at least the trust domain. */
function parseSubject(written: string): string {
  const exact = written.replace(/\*$/, '')
  const isSubject = exact !== '' && !exact.includes('*') && written.length <= VALUE_LENGTH_MAX
  if (!isSubject) throw new Mistake('expected what sub has to be, or its beginning and *; not * alone')
  if (exact.startsWith('spiffe://') && trustDomainOf(exact) === undefined) {
    throw new Mistake('expected a SPIFFE ID with its whole trust domain, such as spiffe://example.org/*')
  }
  return written
}

function parseKeysUrl(written: string): string {
  if (written.startsWith('{')) throw new Mistake('expected a URL such as https://issuer.example/keys')
  checkEndpoint(written)
  return new URL(written).href
}

/** RFC 7515 section 4.1.9: `application/` may be left out, and letter case does not matter. */
function parseType(written: string): string {
  const type = written.toLowerCase().replace(/^application\//, '')
  if (!/^[a-z0-9!#$&^_.+-]{1,127}$/.test(type)) throw new Mistake('expected a media type such as at+jwt')
  return type
}
