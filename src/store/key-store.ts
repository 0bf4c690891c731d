import type { AuditEntry, KeyRow, RewrappedKey } from './record-rows.ts'

/** The keyset as a store keeps it, each seed wrapped by the root key; part of the contract of `Store`. */
export interface KeyStore {
  listKeys(): Promise<KeyRow[]>
  insertKey(key: KeyRow): Promise<void>
  /**
   * Makes a pending key the one that seals; the one that did goes on as `active`.
   *
   * @returns whether there was such a pending key
   */
  promoteKey(kid: string, entry?: AuditEntry): Promise<boolean>
  /**
   * Retires an active key that seals nothing any more: it is kept for what may turn up.
   *
   * @returns whether it was active and sealed nothing
   */
  retireKey(kid: string, at: number, entry?: AuditEntry): Promise<boolean>
  /** Removes the keys that were retired before that time and seal nothing. Returns their ids. */
  forgetRetiredKeys(retiredBefore: number): Promise<string[]>
  /**
   * Replaces the wrapping of all keys at once, seeds and states stay.
   *
   * @returns whether the keys were still all of them, each as it was read
   */
  rewrapKeys(keys: readonly RewrappedKey[], entry?: AuditEntry): Promise<boolean>
  /** Whether anything sealed is stored; a keyset must never be created over existing data. */
  hasSealedData(): Promise<boolean>
}
