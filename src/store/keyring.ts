import type { Secret } from '../secret.ts'

/**
 * What a sealed value is bound to; it opens nowhere else. Everything is authenticated, nothing encrypted.
 */
export interface SealContext {
  readonly table: 'connections' | 'revocations' | 'consents'
  readonly column: string
  /** The connection's or the consent's id. */
  readonly id: string
  /** 0 where there is no grant yet. */
  readonly grantEpoch: number
  /** Origin of the token endpoint that the value may be sent to. */
  readonly origin: string
}

/** Seals secrets for the store and opens them again. */
export interface Keyring {
  /** Seals with the primary key. */
  seal(plaintext: Secret, context: SealContext): Uint8Array
  /** @throws UnreadableError */
  open(sealed: Uint8Array, context: SealContext): Secret
  /** Keyed, stable, 32 hex digits: names a secret without revealing it. The same for the store's whole life. */
  fingerprint(value: Secret): string
}

/**
 * A sealed value does not open: its key is not in the keyset (`unknown_key`), the key is not the one that
 * sealed it (`wrong_key`), the value or its place was changed (`tampered`), it is no sealed value at all (`malformed`), or
 * what else its row holds is not what was written (`damaged`).
 */
export class UnreadableError extends Error {
  readonly reason: 'unknown_key' | 'wrong_key' | 'tampered' | 'malformed' | 'damaged'

  constructor(reason: UnreadableError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UnreadableError'
    this.reason = reason
  }
}
