import { createHmac } from 'node:crypto'
import { createKeyAdmin, type KeyAdmin } from './key-admin.ts'
import { type Keyring, UnreadableError } from './keyring.ts'
import { createSeed, type Keyset, openKeyset, type RootKeys, type StoredKeyset, wrapSeed } from './keyset.ts'
import type { KeyRow } from './record-rows.ts'
import type { RootKey } from './root-key.ts'
import { openValue, type RandomBytes, sealValue, splitSealed } from './sealing.ts'
import type { Store } from './store.ts'

export interface KeyringOptions {
  readonly store: Pick<Store, 'listKeys' | 'insertKey' | 'hasSealedData'>
  readonly rootKey: RootKey
  /** Milliseconds since the epoch; when keys that are made now were made. */
  readonly now: number
  readonly random: RandomBytes
}

/** The keys of a store at work, and what changes them. */
export interface OpenKeys {
  readonly keyring: Keyring
  readonly admin: KeyAdmin
}

/**
 * Opens the keys of the store, and makes them if the store is new.
 *
 * @throws RootKeyError `wrong`, `keyset_missing`, `keyset_damaged`; nothing is written then
 * @throws StoreError
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  return createKeyring(await openOrCreate(options), options.random).keyring
}

/** The same, with what rotates and rewraps them. */
export async function openKeys({
  store,
  rootKeys,
  now,
  random,
}: Omit<KeyringOptions, 'rootKey' | 'store'> & {
  readonly store: Store
  readonly rootKeys: RootKeys
}): Promise<OpenKeys> {
  const { current: rootKey, next } = rootKeys
  const keyset = await openOrCreate({ store, rootKey, now, random })
  const { keyring, use } = createKeyring(keyset, random)
  return { keyring, admin: createKeyAdmin({ store, rootKey, next, random, keyset, use }) }
}

/**
 * Checks the root keys against what an unopened store holds, before anything is created or migrated.
 *
 * @throws RootKeyError `wrong`, `keyset_missing`, `keyset_damaged`
 */
export function checkRootKey(stored: StoredKeyset, rootKey: RootKey): void {
  openKeyset(stored, rootKey)
}

async function openOrCreate({ store, rootKey, now, random }: KeyringOptions): Promise<Keyset> {
  const read = async () => openKeyset(await readKeyset(store), rootKey)
  const keyset = (await read()) ?? (await createKeys({ store, rootKey, now, random }).then(read))
  if (keyset === undefined) throw new Error('the keys that were just stored are not in the store')
  return keyset
}

async function readKeyset(store: KeyringOptions['store']): Promise<StoredKeyset> {
  return { keys: await store.listKeys(), hasSealedData: await store.hasSealedData() }
}

/** The fingerprint key first: data can be sealed only once the other is there too, so a crash between them costs nothing. */
async function createKeys({ store, rootKey, now, random }: KeyringOptions): Promise<void> {
  const stored = await store.listKeys()
  const missing = newKeys.filter(({ purpose }) => !stored.some(key => key.purpose === purpose))
  for (const { purpose, state } of missing) {
    const seed = createSeed(random)
    const wrappedSeed = wrapSeed(seed, purpose, rootKey, random)
    await store.insertKey({
      kid: seed.kid,
      purpose,
      wrappedSeed,
      rootFingerprint: rootKey.fingerprint,
      state,
      createdAt: now,
    })
  }
}

const newKeys: readonly Pick<KeyRow, 'purpose' | 'state'>[] = [
  { purpose: 'fingerprint', state: 'active' },
  { purpose: 'seal', state: 'primary' },
]

/** A keyring, and what gives it another keyset. */
function createKeyring(initial: Keyset, random: RandomBytes) {
  let keyset = initial
  const keyring: Keyring = {
    seal: (plaintext, context) => sealValue(keyset.primary, plaintext, context, random),
    open(sealed, context) {
      const parts = splitSealed(sealed)
      const seed = keyset.seals.get(parts.kid)
      if (seed !== undefined) return openValue(seed, parts, context)
      throw new UnreadableError(
        'unknown_key',
        `the value was sealed with the key ${parts.kid}, which the store does not have`,
      )
    },
    fingerprint: value =>
      createHmac('sha256', keyset.fingerprint.bytes)
        .update(value.expose(), 'utf8')
        .digest('hex')
        .slice(0, 32),
  }
  return {
    keyring,
    use(next: Keyset) {
      keyset = next
    },
  }
}
