import { createHmac } from 'node:crypto'
import { type Keyring, UnreadableError } from './keyring.ts'
import { createSeed, type Keyset, openKeyset, type StoredKeyset, wrapSeed } from './keyset.ts'
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

/**
 * Opens the keys of the store, and makes them if the store is new.
 *
 * @throws RootKeyError `wrong`, `keyset_missing`, `keyset_damaged`; nothing is written then
 * @throws StoreError
 */
export async function openKeyring({ store, rootKey, now, random }: KeyringOptions): Promise<Keyring> {
  const read = async () => openKeyset(await readKeyset(store), rootKey)
  const keyset = (await read()) ?? (await createKeys({ store, rootKey, now, random }).then(read))
  if (keyset === undefined) throw new Error('the keys that were just stored are not in the store')
  return createKeyring(keyset, random)
}

/**
 * Checks the root key against what an unopened store holds, before anything is created or migrated.
 *
 * @throws RootKeyError `wrong`, `keyset_missing`, `keyset_damaged`
 */
export function checkRootKey(stored: StoredKeyset, rootKey: RootKey): void {
  openKeyset(stored, rootKey)
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

function createKeyring({ primary, seals, fingerprint }: Keyset, random: RandomBytes): Keyring {
  return {
    seal: (plaintext, context) => sealValue(primary, plaintext, context, random),
    open(sealed, context) {
      const parts = splitSealed(sealed)
      const seed = seals.get(parts.kid)
      if (seed !== undefined) return openValue(seed, parts, context)
      throw new UnreadableError(
        'unknown_key',
        `the value was sealed with the key ${parts.kid}, which the store does not have`,
      )
    },
    fingerprint: value =>
      createHmac('sha256', fingerprint.bytes).update(value.expose(), 'utf8').digest('hex').slice(0, 32),
  }
}
