import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Secret } from '../../src/secret.ts'
import type { SealContext } from '../../src/store/keyring.ts'
import { createSeed, wrapSeed } from '../../src/store/keyset.ts'
import type { KeyRow } from '../../src/store/record-rows.ts'
import { RootKey } from '../../src/store/root-key.ts'
import { checkRootKey, openKeyring } from '../../src/store/sealed-keyring.ts'
import { inMemory, openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { connect, t0 } from './samples.ts'

const rootKey = new RootKey(randomBytes(32))
const otherRoot = new RootKey(randomBytes(32))
const context: SealContext = {
  table: 'connections',
  column: 'sealed_access_token',
  id: 'c1',
  grantEpoch: 1,
  origin: 'https://api.pinterest.example',
}

async function openStore(): Promise<Store> {
  const store = await openSqliteStore({ path: inMemory })
  onTestFinished(() => store.close())
  return store
}

function open(store: Store, key = rootKey) {
  return openKeyring({ store, rootKey: key, now: t0, random: randomBytes })
}

/** A store that has those keys, whatever they are. */
function storeWith(keys: readonly KeyRow[], hasSealedData = true) {
  const inserted: KeyRow[] = []
  const store = {
    listKeys: async () => [...keys, ...inserted],
    hasSealedData: async () => hasSealedData,
    async insertKey(key: KeyRow) {
      inserted.push(key)
    },
  }
  const opened = openKeyring({ store, rootKey, now: t0, random: randomBytes })
  return { opened, inserted }
}

async function newKeys(): Promise<KeyRow[]> {
  const store = await openStore()
  await open(store)
  return store.listKeys()
}

describe('openKeyring() of a new store', () => {
  it('makes one key to seal with and one for fingerprints, wrapped', async () => {
    const keys = await newKeys()
    expect(keys.map(({ purpose, state }) => `${purpose} ${state}`).sort()).toEqual([
      'fingerprint active',
      'seal primary',
    ])
    for (const key of keys) {
      expect(key.kid).toMatch(/^[0-9a-f]{16}$/)
      expect(key).toMatchObject({ rootFingerprint: rootKey.fingerprint, createdAt: t0 })
      expect(key.wrappedSeed).toHaveLength(61)
    }
  })

  it('makes what a crash kept from being made', async () => {
    const [fingerprint] = (await newKeys()).filter(({ purpose }) => purpose === 'fingerprint')
    if (fingerprint === undefined) throw new Error('missing')
    const { opened, inserted } = storeWith([fingerprint], false)
    await opened
    expect(inserted.map(({ purpose }) => purpose)).toEqual(['seal'])
  })
})

describe('openKeyring() of an existing store', () => {
  it('opens what was sealed before, and makes no key', async () => {
    const store = await openStore()
    const sealed = (await open(store)).seal(new Secret('token'), context)
    const keys = await store.listKeys()
    expect((await open(store)).open(sealed, context).expose()).toBe('token')
    expect(await store.listKeys()).toEqual(keys)
  })

  it('names a secret alike for ever, and another one otherwise', async () => {
    const store = await openStore()
    const fingerprint = (await open(store)).fingerprint(new Secret('token'))
    expect(fingerprint).toMatch(/^[0-9a-f]{32}$/)
    expect((await open(store)).fingerprint(new Secret('token'))).toBe(fingerprint)
    expect((await open(store)).fingerprint(new Secret('tokem'))).not.toBe(fingerprint)
    expect((await open(await openStore())).fingerprint(new Secret('token'))).not.toBe(fingerprint)
  })

  it('refuses another root key, names both, and writes nothing', async () => {
    const store = await openStore()
    await open(store)
    const keys = await store.listKeys()
    const refused = open(store, otherRoot)
    await expect(refused).rejects.toMatchObject({ name: 'RootKeyError', reason: 'wrong' })
    await expect(refused).rejects.toThrow(rootKey.fingerprint)
    await expect(refused).rejects.toThrow(otherRoot.fingerprint)
    expect(await store.listKeys()).toEqual(keys)
  })

  it('refuses to make keys over sealed data', async () => {
    const store = await openStore()
    await connect(store)
    await expect(open(store)).rejects.toMatchObject({ reason: 'keyset_missing' })
    expect(await store.listKeys()).toEqual([])
  })

  it.each(['seal', 'fingerprint'] as const)('refuses sealed data without the %s key', async missing => {
    const keys = (await newKeys()).filter(({ purpose }) => purpose !== missing)
    const { opened, inserted } = storeWith(keys)
    await expect(opened).rejects.toMatchObject({ reason: 'keyset_damaged' })
    expect(inserted).toEqual([])
  })

  it.each<[string, (key: KeyRow) => Partial<KeyRow>]>([
    ['another key id', () => ({ kid: '00'.repeat(8) })],
    ['another purpose', ({ purpose }) => ({ purpose: purpose === 'seal' ? 'fingerprint' : 'seal' })],
    ['a shorter seed', ({ wrappedSeed }) => ({ wrappedSeed: wrappedSeed.subarray(0, 60) })],
    ['no seed', () => ({ wrappedSeed: new Uint8Array() })],
    ['another version', ({ wrappedSeed }) => ({ wrappedSeed: Buffer.from(wrappedSeed).fill(2, 0, 1) })],
  ])('refuses keys with %s', async (_, change) => {
    const keys = (await newKeys()).map(key => ({ ...key, ...change(key) }))
    await expect(storeWith(keys).opened).rejects.toMatchObject({ reason: 'keyset_damaged' })
  })

  it('refuses a wrapped seed with any bit flipped', async () => {
    const keys = await newKeys()
    const [first, ...others] = keys
    if (first === undefined) throw new Error('missing')
    for (let byte = 0; byte < first.wrappedSeed.length; byte++) {
      const wrappedSeed = Buffer.from(first.wrappedSeed)
      wrappedSeed.writeUInt8(wrappedSeed.readUInt8(byte) ^ (1 << (byte & 7)), byte)
      const { opened } = storeWith([{ ...first, wrappedSeed }, ...others])
      await expect(opened).rejects.toMatchObject({ reason: 'keyset_damaged' })
    }
  })

  it('opens with a key that is no longer the primary, and seals with the one that is', async () => {
    const keys = await newKeys()
    const old = await storeWith(keys).opened
    const sealed = old.seal(new Secret('token'), context)
    const seed = createSeed(randomBytes)
    const next: KeyRow = {
      kid: seed.kid,
      purpose: 'seal',
      wrappedSeed: wrapSeed(seed, 'seal', rootKey, randomBytes),
      rootFingerprint: rootKey.fingerprint,
      state: 'primary',
      createdAt: t0,
    }
    const rotated = keys.map(key => (key.purpose === 'seal' ? { ...key, state: 'active' as const } : key))
    const keyring = await storeWith([...rotated, next]).opened
    expect(keyring.open(sealed, context).expose()).toBe('token')
    const resealed = keyring.seal(new Secret('token'), context)
    expect(() => old.open(resealed, context)).toThrow(expect.objectContaining({ reason: 'unknown_key' }))
  })
})

describe('checkRootKey()', () => {
  it('takes a new store and a fitting key', async () => {
    expect(() => checkRootKey({ keys: [], hasSealedData: false }, rootKey)).not.toThrow()
    expect(() => checkRootKey({ keys: [], hasSealedData: true }, rootKey)).toThrow(
      expect.objectContaining({ reason: 'keyset_missing' }),
    )
    const keys = await newKeys()
    expect(() => checkRootKey({ keys, hasSealedData: true }, rootKey)).not.toThrow()
    expect(() => checkRootKey({ keys, hasSealedData: false }, otherRoot)).toThrow(
      expect.objectContaining({ reason: 'wrong' }),
    )
  })
})
