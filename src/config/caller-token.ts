import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { Secret } from '../secret.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 62^8 ids; they tell a company's tokens apart, and are no secret. */
const ID_LENGTH = 8
/** The smallest number of bytes that holds an id. */
const ID_BYTES = 6
/** 256 bits cannot be guessed, so an ordinary hash of the token can be stored. */
const SECRET_BYTES = 32
/** The smallest number of base 62 digits that holds {@link SECRET_BYTES}. */
const SECRET_LENGTH = 43
const TOKEN = /^(?<signed>tb_(?<id>[0-9A-Za-z]{8})_[0-9A-Za-z]{43})_(?<checksum>[0-9a-f]{8})$/

/** Characters of every caller token. */
export const CALLER_TOKEN_LENGTH = 64

/** A new token of a caller. */
export interface NewCallerToken {
  readonly id: string
  /** Shown once, to whom it belongs. */
  readonly token: Secret
  /** What the configuration keeps of it. */
  readonly sha256: string
}

/**
 * Makes a caller token `tb_<id>_<secret>_<checksum>`: a prefix that secret scanners find, 8 and 43 base 62
 * digits, and the CRC-32 of everything before as 8 hex digits, so that a mistyped token is told from a
 * revoked one without any lookup. A double click selects all of it.
 *
 * @param randomBytes unpredictable bytes, as of `node:crypto`
 */
export function createCallerToken(randomBytes: (size: number) => Uint8Array): NewCallerToken {
  const id = base62(randomBytes(ID_BYTES), ID_LENGTH)
  const signed = `tb_${id}_${base62(randomBytes(SECRET_BYTES), SECRET_LENGTH)}`
  const token = `${signed}_${checksum(signed)}`
  return { id, token: new Secret(token), sha256: hashCallerToken(token) }
}

/** What a text says of itself: the id of a caller token, or why it is none. */
export type ParsedCallerToken =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: 'shape' | 'checksum' }

/** Reads a caller token. That it is well formed does not mean that it is anybody's. */
export function parseCallerToken(text: string): ParsedCallerToken {
  const { signed, id, checksum: claimed } = TOKEN.exec(text)?.groups ?? {}
  if (signed === undefined || id === undefined) return { ok: false, reason: 'shape' }
  return checksum(signed) === claimed ? { ok: true, id } : { ok: false, reason: 'checksum' }
}

/** The SHA-256 of the whole token as 64 lower-case hex digits: what `token_sha256` holds. */
export function hashCallerToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function checksum(signed: string): string {
  return crc32(signed).toString(16).padStart(8, '0')
}

/** The last digits of the bytes as one number. */
function base62(bytes: Uint8Array, length: number): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let digits = ''
  while (digits.length < length) {
    digits = ALPHABET.charAt(Number(rest % 62n)) + digits
    rest /= 62n
  }
  return digits
}
