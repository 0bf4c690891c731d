/*
 * A sealed value:
 *
 *   "TB" | version 1 | suite 1 | key id 8 | salt 32 | commitment 32 | nonce 12 | ciphertext | tag 16    (bytes)
 *
 * Each value has a key of its own: HKDF-SHA-512 (RFC 5869) of the seed, with the salt in its info, yields 64
 * bytes, the key of AES-256-GCM (NIST SP 800-38D) and the commitment. So random nonces are no limit, and the
 * commitment tells a wrong key from a changed value before anything is decrypted.
 */
import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto'
import { Secret } from '../secret.ts'
import { type SealContext, UnreadableError } from './keyring.ts'

/** A secret from which the keys of single values are derived. */
export interface Seed {
  /** 8 bytes as lower-case hex; names the seed in every value that it seals. */
  readonly kid: string
  readonly bytes: Buffer
}

/** That many unpredictable bytes, as `randomBytes` of node:crypto makes them. */
export type RandomBytes = (size: number) => Buffer

/** A sealed value in its parts. */
export interface SealedParts {
  readonly kid: string
  readonly salt: Buffer
  readonly commitment: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
  readonly tag: Buffer
}

/** "TB", format version 1, suite 1: HKDF-SHA-512 and AES-256-GCM. */
const header = Buffer.from([0x54, 0x42, 1, 1])

/** First member of the associated data: another format never opens this one's values. */
const format = 'tb/v1/aes-256-gcm'

const kidBytes = 8
const saltBytes = 32
const commitmentBytes = 32
const nonceBytes = 12
/** Always said: node:crypto takes tags of 4 bytes too, which can be guessed. */
const tagBytes = 16

/** What a sealed value is longer than its secret: 104 bytes. */
export const overheadBytes = header.length + kidBytes + saltBytes + commitmentBytes + nonceBytes + tagBytes

/** Seals a secret for one place in the store. */
export function sealValue(seed: Seed, plaintext: Secret, context: SealContext, random: RandomBytes): Buffer {
  const salt = random(saltBytes)
  const nonce = random(nonceBytes)
  const { key, commitment } = deriveKey(seed, salt)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(associatedData(context))
  const ciphertext = Buffer.concat([cipher.update(plaintext.expose(), 'utf8'), cipher.final()])
  const kid = Buffer.from(seed.kid, 'hex')
  return Buffer.concat([header, kid, salt, commitment, nonce, ciphertext, cipher.getAuthTag()])
}

/**
 * Takes a sealed value apart; decrypts nothing.
 *
 * @throws UnreadableError `malformed`
 */
export function splitSealed(sealed: Uint8Array): SealedParts {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  if (bytes.length < overheadBytes) {
    throw new UnreadableError(
      'malformed',
      `a sealed value has at least ${overheadBytes} bytes, this has ${bytes.length}`,
    )
  }
  if (!bytes.subarray(0, header.length).equals(header)) {
    throw new UnreadableError(
      'malformed',
      'the value does not begin like a sealed value that this release can open',
    )
  }
  let position = header.length
  function take(size: number): Buffer {
    const part = bytes.subarray(position, position + size)
    position += size
    return part
  }
  return {
    kid: take(kidBytes).toString('hex'),
    salt: take(saltBytes),
    commitment: take(commitmentBytes),
    nonce: take(nonceBytes),
    ciphertext: take(bytes.length - overheadBytes),
    tag: take(tagBytes),
  }
}

/**
 * Opens a sealed value in the place for which it was sealed.
 *
 * @throws UnreadableError `wrong_key` if the seed does not fit, `tampered` if the value or its place was changed
 */
export function openValue(seed: Seed, parts: SealedParts, context: SealContext): Secret {
  const { key, commitment } = deriveKey(seed, parts.salt)
  if (!timingSafeEqual(commitment, parts.commitment)) {
    throw new UnreadableError('wrong_key', `the value was not sealed with the key ${seed.kid} that it names`)
  }
  const decipher = createDecipheriv('aes-256-gcm', key, parts.nonce, { authTagLength: tagBytes })
  decipher.setAAD(associatedData(context))
  decipher.setAuthTag(parts.tag)
  try {
    return new Secret(Buffer.concat([decipher.update(parts.ciphertext), decipher.final()]).toString('utf8'))
  } catch (error) {
    const place = `${context.table}.${context.column} of ${context.id}`
    throw new UnreadableError('tampered', `${place} was changed or moved since it was sealed`, {
      cause: error,
    })
  }
}

function deriveKey({ bytes }: Seed, salt: Buffer): { key: Buffer; commitment: Buffer } {
  const info = Buffer.concat([Buffer.from('tb/v1/rec'), salt])
  const derived = Buffer.from(hkdfSync('sha512', bytes, Buffer.alloc(0), info, 64))
  return { key: derived.subarray(0, 32), commitment: derived.subarray(32) }
}

/** Each member goes behind its length, so that no two places have the same data. */
function associatedData({ table, column, id, grantEpoch, origin }: SealContext): Buffer {
  return lengthPrefixed([format, table, column, id, String(grantEpoch), origin])
}

/** Joins texts unambiguously: each one's length in bytes, 32 bits big-endian, then its UTF-8. */
export function lengthPrefixed(members: readonly string[]): Buffer {
  const parts = members.flatMap(member => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(Buffer.byteLength(member))
    return [length, Buffer.from(member)]
  })
  return Buffer.concat(parts)
}
