import { hkdfSync } from 'node:crypto'
import type { Secret } from '../secret.ts'

/**
 * The root key cannot be used, or does not fit the store. Nothing was written; a person has to act.
 *
 * - `missing`: there is no key file, and none may be created
 * - `unreadable`: the key file cannot be read or created
 * - `exposed`: others may read the key file
 * - `malformed`: not 32 bytes as base64 or hex
 * - `weak`: not made at random
 * - `wrong`: the store was sealed under another root key
 * - `keyset_missing`: the store has sealed data and no keys for it
 * - `keyset_damaged`: a key of the store was changed or is missing
 */
export class RootKeyError extends Error {
  readonly reason:
    | 'missing'
    | 'unreadable'
    | 'exposed'
    | 'malformed'
    | 'weak'
    | 'wrong'
    | 'keyset_missing'
    | 'keyset_damaged'

  constructor(reason: RootKeyError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RootKeyError'
    this.reason = reason
  }
}

/** Length of a root key. */
export const rootKeyBytes = 32

/** How to make a root key, for messages. */
const remedy = 'make one with: openssl rand -base64 32'

/**
 * The key that wraps the keys of the store. Its bytes never leave it, so that no log or error can print them;
 * every use has a key derived for it alone (HKDF-SHA-512, RFC 5869).
 */
export class RootKey {
  readonly #bytes: Buffer
  /** Names the key without revealing it: 16 hex digits. */
  readonly fingerprint: string

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.fingerprint = this.derive('tb/v1/root-fingerprint', 8).toString('hex')
  }

  /** That many bytes for the named purpose. */
  derive(purpose: string, size: number): Buffer {
    return Buffer.from(hkdfSync('sha512', this.#bytes, Buffer.alloc(0), purpose, size))
  }
}

/**
 * Reads the text form of a root key: 32 bytes as base64 (44 characters) or as 64 hex digits, with or without
 * a newline at the end.
 *
 * @param origin where the text comes from, for messages
 * @throws RootKeyError `malformed`, `weak`
 */
export function parseRootKey(text: Secret, origin: string): RootKey {
  const bytes = decode(text.expose().replace(/\r?\n$/, ''))
  if (bytes === undefined) {
    const expected = '32 bytes as base64 (44 characters) or as 64 hex digits'
    throw new RootKeyError('malformed', `the root key from ${origin} is not ${expected}; ${remedy}`)
  }
  if (isWeak(bytes)) {
    throw new RootKeyError('weak', `the root key from ${origin} was not made at random; ${remedy}`)
  }
  return new RootKey(bytes)
}

function decode(text: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  const bytes = Buffer.from(text, 'base64')
  // Node skips what is not base64; only the text that encodes these very bytes is meant.
  return bytes.length === rootKeyBytes && bytes.toString('base64') === text ? bytes : undefined
}

/**
 * Whether the bytes were typed rather than drawn: few different ones, evenly spaced ones, or nothing but
 * printable characters. A random key looks like that less than once in 10^12 times.
 */
function isWeak(bytes: Buffer): boolean {
  const values = [...bytes]
  const steps = new Set(values.slice(1).map((value, index) => (value - (bytes[index] ?? 0)) & 0xff))
  return new Set(values).size < 16 || steps.size === 1 || values.every(value => value >= 0x20 && value < 0x7f)
}
