import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { KeyRow } from './record-rows.ts'
import type { RootKey } from './root-key.ts'
import { RootKeyError } from './root-key.ts'
import { lengthPrefixed, type RandomBytes, type Seed } from './sealing.ts'

/** The seeds of a store, unwrapped. */
export interface Keyset {
  /** Seals new values. */
  readonly primary: Seed
  /** Opens sealed values, by key id; the primary is among them. */
  readonly seals: ReadonlyMap<string, Seed>
  readonly fingerprint: Seed
}

/** The root keys of a store at work. */
export interface RootKeys {
  /** Wraps the keys now; of a new store, from the start. */
  readonly current: RootKey
  /** The one that is to replace it, or has. */
  readonly next?: RootKey
}

/** What a store holds that the root key must fit. */
export interface StoredKeyset {
  readonly keys: readonly KeyRow[]
  readonly hasSealedData: boolean
}

/** A wrapped seed is: version 1 | nonce 12 | ciphertext 32 | tag 16 (bytes), by AES-256-GCM. */
const wrapVersion = 1
const nonceBytes = 12
const seedBytes = 32
const tagBytes = 16
const wrappedBytes = 1 + nonceBytes + seedBytes + tagBytes

/**
 * Unwraps the keys of a store. `undefined` if it is new: no complete keyset, and nothing sealed with one.
 *
 * @throws RootKeyError `wrong`, `keyset_missing`, `keyset_damaged`
 */
export function openKeyset({ keys, hasSealedData }: StoredKeyset, rootKey: RootKey): Keyset | undefined {
  if (keys.length === 0 && hasSealedData) {
    throw new RootKeyError(
      'keyset_missing',
      `the store has sealed data but no keys, so that the root key ${rootKey.fingerprint} cannot open it; restore the whole database from a backup`,
    )
  }
  for (const key of keys) refuseOtherRoot(key, rootKey)
  const opened = keys.map(key => ({ ...key, seed: unwrapSeed(key, rootKey) }))
  const seals = opened.filter(({ purpose }) => purpose === 'seal')
  const primary = seals.find(({ state }) => state === 'primary')?.seed
  const fingerprint = opened.find(({ purpose }) => purpose === 'fingerprint')?.seed
  if (primary !== undefined && fingerprint !== undefined) {
    return { primary, fingerprint, seals: new Map(seals.map(({ kid, seed }) => [kid, seed])) }
  }
  if (!hasSealedData) return undefined
  throw damaged('the keyset of the store is incomplete')
}

/** Unwraps one key of the store that the root key wraps. @throws RootKeyError `keyset_damaged` */
export function unwrapKey(key: KeyRow, rootKey: RootKey): Seed {
  refuseOtherRoot(key, rootKey)
  return unwrapSeed(key, rootKey)
}

/** Whether the stored keys are wrapped by that root key. All keys of a store have one. */
export function isWrappedBy(keys: readonly KeyRow[], { fingerprint }: RootKey): boolean {
  return keys.length > 0 && keys.every(({ rootFingerprint }) => rootFingerprint === fingerprint)
}

/** Wraps a seed for the store; it opens only as this very key and under this root key. */
export function wrapSeed(
  seed: Seed,
  purpose: KeyRow['purpose'],
  rootKey: RootKey,
  random: RandomBytes,
): Buffer {
  const nonce = random(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(rootKey), nonce, { authTagLength: tagBytes })
  cipher.setAAD(wrapData(seed.kid, purpose, rootKey))
  const ciphertext = Buffer.concat([cipher.update(seed.bytes), cipher.final()])
  return Buffer.concat([Buffer.from([wrapVersion]), nonce, ciphertext, cipher.getAuthTag()])
}

/** A new seed under a new random key id. */
export function createSeed(random: RandomBytes): Seed {
  return { kid: random(8).toString('hex'), bytes: random(seedBytes) }
}

function unwrapSeed({ kid, purpose, wrappedSeed }: KeyRow, rootKey: RootKey): Seed {
  const wrapped = Buffer.from(wrappedSeed.buffer, wrappedSeed.byteOffset, wrappedSeed.byteLength)
  if (wrapped.length !== wrappedBytes || wrapped[0] !== wrapVersion) {
    throw damaged(`the key ${kid} of the store has an unknown form`)
  }
  const nonce = wrapped.subarray(1, 1 + nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey(rootKey), nonce, { authTagLength: tagBytes })
  decipher.setAAD(wrapData(kid, purpose, rootKey))
  decipher.setAuthTag(wrapped.subarray(-tagBytes))
  const ciphertext = wrapped.subarray(1 + nonceBytes, -tagBytes)
  try {
    return { kid, bytes: Buffer.concat([decipher.update(ciphertext), decipher.final()]) }
  } catch (error) {
    throw damaged(`the key ${kid} of the store was changed since it was stored`, error)
  }
}

function refuseOtherRoot({ rootFingerprint }: KeyRow, { fingerprint }: RootKey): void {
  if (rootFingerprint === fingerprint) return
  throw new RootKeyError(
    'wrong',
    `the store was sealed under the root key ${rootFingerprint}, but the configured root key is ${fingerprint}; configure the former`,
  )
}

function wrappingKey(rootKey: RootKey): Buffer {
  return rootKey.derive('tb/v1/wrap', 32)
}

function wrapData(kid: string, purpose: KeyRow['purpose'], rootKey: RootKey): Buffer {
  return lengthPrefixed(['tb/v1/wrap', kid, purpose, rootKey.fingerprint])
}

function damaged(message: string, cause?: unknown): RootKeyError {
  return new RootKeyError('keyset_damaged', `${message}; restore the whole database from a backup`, { cause })
}
