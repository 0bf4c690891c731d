import type { SealContext } from './keyring.ts'

/** One sealed value of the store, and the place that it is bound to. */
export interface SealedValue {
  readonly context: SealContext
  readonly sealed: Uint8Array
}

/** A value that is sealed anew: the same secret for the same place, under another key. */
export interface Resealing extends SealedValue {
  readonly resealed: Uint8Array
}

export interface SealedQuery {
  /** The key that the values name. */
  readonly kid: string
  /** The place of the last value of the page before; absent = from the start. */
  readonly after?: SealContext
  /** At least 1. */
  readonly limit: number
}

/** How many values name one key, whether or not the store has that key. */
export interface SealedCount {
  readonly kid: string
  readonly count: number
}

/** The key that a sealed value names, 16 hex digits; of what is no sealed value, whatever stands there. */
export function kidOf(sealed: Uint8Array): string {
  return Buffer.from(sealed.subarray(4, 12)).toString('hex')
}
