import { createSeed, isWrappedBy, type Keyset, openKeyset, unwrapKey, wrapSeed } from './keyset.ts'
import type { AuditEntry, KeyRow } from './record-rows.ts'
import { type RootKey, RootKeyError } from './root-key.ts'
import type { RandomBytes } from './sealing.ts'
import { type Store, StoreError } from './store.ts'

/** How often a rewrap is tried against keys that change meanwhile; more than one change at a time is nobody's plan. */
const rewrapTriesMax = 3

/** Changes the keys of a store while it is in use. Key material never comes out. */
export interface KeyAdmin {
  /** Fingerprint of the root key that wraps the keys now. */
  rootFingerprint(): string
  /** The keys as they are stored, the oldest first. */
  list(): Promise<readonly Omit<KeyRow, 'wrappedSeed'>[]>
  /**
   * Reads the keys anew, for a value that names a key which is not known here: another process has made it.
   *
   * @returns whether a key came that was not known
   */
  reload(): Promise<boolean>
  /**
   * Makes a new key the one that seals. A new key that a crash left pending is taken up instead.
   *
   * @param entryOf makes the audit entry, of the key's id
   * @returns its id
   */
  rotate(now: number, entryOf?: (kid: string) => AuditEntry): Promise<string>
  /** Takes up a new key that a crash left pending; nothing if there is none. */
  finishRotation(entryOf?: (kid: string) => AuditEntry): Promise<void>
  /**
   * Wraps all keys by the next root key, in one transaction.
   *
   * @param entryOf makes the audit entry
   * @returns how many were wrapped anew; 0 = they are under that key already
   * @throws NoNextRootKeyError if none is configured
   */
  rewrap(entryOf?: (rewrapped: Rewrapped) => AuditEntry): Promise<number>
}

/** What a rewrap has done. */
export interface Rewrapped {
  readonly keys: number
  /** Of the root key that wraps them now. */
  readonly rootFingerprint: string
}

type EntryOfKey = (kid: string) => AuditEntry

/** There is no root key to change to. */
export class NoNextRootKeyError extends Error {
  constructor() {
    super('no root_key_next is configured')
    this.name = 'NoNextRootKeyError'
  }
}

interface KeyAdminParts {
  readonly store: Pick<Store, 'listKeys' | 'insertKey' | 'promoteKey' | 'rewrapKeys' | 'hasSealedData'>
  /** Wraps the keys now. */
  readonly rootKey: RootKey
  readonly next?: RootKey
  readonly random: RandomBytes
  readonly keyset: Keyset
  /** Gives the keyring another keyset. */
  readonly use: (keyset: Keyset) => void
}

/** Creates what changes the keys of one store. Changes run one after the other. */
export function createKeyAdmin({ store, next, random, use, ...initial }: KeyAdminParts): KeyAdmin {
  let { rootKey, keyset } = initial
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }

  async function read(): Promise<boolean> {
    const keys = await store.listKeys()
    // Another process may have wrapped them anew.
    if (next !== undefined && isWrappedBy(keys, next)) rootKey = next
    const opened = openKeyset({ keys, hasSealedData: true }, rootKey)
    if (opened === undefined) throw new RootKeyError('keyset_missing', 'the keys of the store are gone')
    const isNew = [...opened.seals.keys()].some(kid => !keyset.seals.has(kid))
    // A key that was forgotten goes on in this process: an older row may still be in memory.
    keyset = { ...opened, seals: new Map([...keyset.seals, ...opened.seals]) }
    use(keyset)
    return isNew
  }

  async function rotate(now: number, entryOf?: EntryOfKey): Promise<string> {
    return takeUp((await findPending()) ?? (await insertPending(now)), entryOf)
  }

  async function findPending(): Promise<string | undefined> {
    return (await store.listKeys()).find(({ state }) => state === 'pending')?.kid
  }

  async function takeUp(kid: string, entryOf?: EntryOfKey): Promise<string> {
    // Known before it seals: what is sealed with it opens from the first moment.
    await read()
    await store.promoteKey(kid, entryOf?.(kid))
    await read()
    return kid
  }

  async function finishRotation(entryOf?: EntryOfKey): Promise<void> {
    const pending = await findPending()
    if (pending !== undefined) await takeUp(pending, entryOf)
  }

  async function insertPending(now: number): Promise<string> {
    const seed = createSeed(random)
    await store.insertKey({
      kid: seed.kid,
      purpose: 'seal',
      wrappedSeed: wrapSeed(seed, 'seal', rootKey, random),
      rootFingerprint: rootKey.fingerprint,
      state: 'pending',
      createdAt: now,
    })
    return seed.kid
  }

  async function rewrap(entryOf?: (rewrapped: Rewrapped) => AuditEntry): Promise<number> {
    if (next === undefined) throw new NoNextRootKeyError()
    for (let tries = 1; tries <= rewrapTriesMax; tries++) {
      await read()
      if (rootKey.fingerprint === next.fingerprint) return 0
      const rewrapped = rewrappedKeys(await store.listKeys(), rootKey, next, random)
      const entry = entryOf?.({ keys: rewrapped.length, rootFingerprint: next.fingerprint })
      if (!(await store.rewrapKeys(rewrapped, entry))) continue
      rootKey = next
      return rewrapped.length
    }
    throw new StoreError('busy', 'the keys change while they are wrapped anew; try again')
  }

  return {
    rootFingerprint: () => rootKey.fingerprint,
    list: async () => (await store.listKeys()).map(({ wrappedSeed: _, ...key }) => key),
    reload: () => inTurn(read),
    rotate: (now, entryOf) => inTurn(() => rotate(now, entryOf)),
    finishRotation: entryOf => inTurn(() => finishRotation(entryOf)),
    rewrap: entryOf => inTurn(() => rewrap(entryOf)),
  }
}

function rewrappedKeys(keys: readonly KeyRow[], rootKey: RootKey, next: RootKey, random: RandomBytes) {
  return keys.map(key => ({
    kid: key.kid,
    wrappedSeed: wrapSeed(unwrapKey(key, rootKey), key.purpose, next, random),
    rootFingerprint: next.fingerprint,
    previous: key.wrappedSeed,
  }))
}
