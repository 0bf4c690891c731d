import { readCertificate } from './certificates.ts'
import type { CallerConfig, Config, GrpcListener } from './config.ts'

/** Something that the configuration names and that stops working by itself. */
export interface Expiry {
  /** For people: `the token of the caller ads-sync`. */
  readonly what: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
  /** What to do about it, as a sentence without its full stop. */
  readonly advice: string
}

/**
 * Everything in a configuration that has an end: static tokens of callers, and the certificates of listeners.
 * The first to end comes first.
 */
export function expiriesOf({ callers, listen }: Pick<Config, 'callers' | 'listen'>): Expiry[] {
  const listeners: GrpcListener[] = [...listen.grpc, listen.http, listen.admin]
  return [...callers.flatMap(ofTokens), ...listeners.flatMap(ofCertificate)].sort(
    (a, b) => a.expiresAtMs - b.expiresAtMs,
  )
}

/** The callers that have a static token without an end, by name. */
export function eternalCallers(callers: readonly CallerConfig[]): string[] {
  return callers.flatMap(({ name, proof }) =>
    proof.kind === 'static_token' && proof.tokens.some(token => token.expiresAtMs === undefined) ? name : [],
  )
}

/** Whether there are callers, and none of them can call any more; of certificates and JWTs nothing is known here. */
export function haveAllExpired(callers: readonly CallerConfig[], now: number): boolean {
  const isOver = ({ proof }: CallerConfig) =>
    proof.kind === 'static_token' &&
    proof.tokens.every(({ expiresAtMs = Number.POSITIVE_INFINITY }) => now >= expiresAtMs)
  return callers.length > 0 && callers.every(isOver)
}

function ofTokens({ name, proof }: CallerConfig): Expiry[] {
  if (proof.kind !== 'static_token') return []
  const dates = proof.tokens.flatMap(({ expiresAtMs }) => expiresAtMs ?? [])
  return dates.map((expiresAtMs, index) => ({
    what: `${dates.length > 1 ? `token ${index + 1}` : 'the token'} of the caller ${name}`,
    expiresAtMs,
    advice: `make another with "token-broker callers create ${name}", list both hashes under token_sha256, and take the old one out when it is no longer used`,
  }))
}

function ofCertificate(listener: GrpcListener): Expiry[] {
  if ('socket' in listener || typeof listener.tls !== 'object') return []
  const { cert, files } = listener.tls
  return [
    {
      what: `the certificate of ${listener.host}:${listener.port}`,
      expiresAtMs: readCertificate(cert).validToDate.getTime(),
      advice: `put a new one into ${files?.cert ?? 'its file'}`,
    },
  ]
}
