import { describe, expect, it } from 'vitest'
import type { KeyRow } from '../../src/store/record-rows.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  sampleConsent,
  sampleHold,
  sampleRevocation,
  sampleStart,
  sampleSuccess,
  t0,
} from './samples.ts'

const oldKid = 'aaaaaaaaaaaaaaaa'
const newKid = 'bbbbbbbbbbbbbbbb'

function sampleKey(changes: Partial<KeyRow> = {}): KeyRow {
  const wrapped = { wrappedSeed: bytes('wrapped'), rootFingerprint: '0123456789abcdef' }
  return { kid: oldKid, purpose: 'seal', ...wrapped, state: 'primary', createdAt: t0, ...changes }
}

/** Bytes that name a key as a sealed value does. */
function sealedWith(kid: string, text: string): Buffer {
  return Buffer.concat([Buffer.from('TB\x01\x01'), Buffer.from(kid, 'hex'), Buffer.from(text)])
}

/** Sealed values in every place. */
async function fill(store: Store, kid: string): Promise<void> {
  const tokens = (name: string) => ({
    sealedAccessToken: sealedWith(kid, `${name}-access`),
    sealedRefreshToken: sealedWith(kid, `${name}-refresh`),
  })
  const row = await connect(store, tokens('c'))
  await store.keepSibling(row, { sealedRefreshToken: sealedWith(kid, 's'), until: t0, nextRefreshAt: t0 })
  await connect(store, { id: 'c2', account: 'bob', ...tokens('c2') })
  await store.addRevocation(sampleRevocation(tokens('r')))
  await store.createConsent(sampleConsent())
  await store.startConsent('link-1', sampleStart({ sealedVerifier: sealedWith(kid, 'v') }))
}

/** Changes of keys, and the values that they seal. */
export function keyContract(open: OpenStore): void {
  describe('promoteKey()', () => {
    it('makes a pending key the primary, and the primary an active one', async () => {
      const store = await open()
      await store.insertKey(sampleKey())
      await store.insertKey(sampleKey({ kid: newKid, state: 'pending', createdAt: t0 + 1 }))
      expect(await store.promoteKey(newKid)).toBe(true)
      expect((await store.listKeys()).map(({ kid, state }) => [kid, state])).toEqual([
        [oldKid, 'active'],
        [newKid, 'primary'],
      ])
    })

    it.each([oldKid, newKid])('changes nothing for %s, which is not pending', async kid => {
      const store = await open()
      await store.insertKey(sampleKey())
      expect(await store.promoteKey(kid)).toBe(false)
      expect(await store.listKeys()).toEqual([sampleKey()])
    })
  })

  describe('retireKey()', () => {
    it('leaves a key that still seals something, wherever it is', async () => {
      const store = await open()
      await store.insertKey(sampleKey({ state: 'active' }))
      await fill(store, oldKid)
      for (;;) {
        const [first] = await store.listSealedValues({ kid: oldKid, limit: 1 })
        if (first === undefined) break
        expect(await store.retireKey(oldKid, t0)).toBe(false)
        await store.replaceSealedValues([{ ...first, resealed: sealedWith(newKid, 'x') }])
      }
      expect(await store.retireKey(oldKid, t0)).toBe(true)
      expect(await store.listKeys()).toMatchObject([{ kid: oldKid, state: 'retired' }])
      expect(await store.retireKey(oldKid, t0)).toBe(false)
    })

    it.each([
      ['the primary', sampleKey()],
      ['a pending key', sampleKey({ state: 'pending' })],
      ['the key of fingerprints', sampleKey({ purpose: 'fingerprint', state: 'active' })],
    ])('leaves %s', async (_, key) => {
      const store = await open()
      await store.insertKey(key)
      expect(await store.retireKey(oldKid, t0)).toBe(false)
      expect(await store.listKeys()).toEqual([key])
    })
  })

  describe('forgetRetiredKeys()', () => {
    it('removes what was retired before that time, and not what seals again', async () => {
      const store = await open()
      for (const kid of [oldKid, newKid]) await store.insertKey(sampleKey({ kid, state: 'active' }))
      await store.retireKey(oldKid, t0)
      await store.retireKey(newKid, t0)
      expect(await store.forgetRetiredKeys(t0)).toEqual([])
      await connect(store, { sealedAccessToken: sealedWith(newKid, 'late') })
      expect(await store.forgetRetiredKeys(t0 + 1)).toEqual([oldKid])
      expect(await store.listKeys()).toMatchObject([{ kid: newKid, state: 'retired' }])
      expect(await store.forgetRetiredKeys(t0 + 1)).toEqual([])
    })
  })

  describe('rewrapKeys()', () => {
    const rewrapped = (kid: string, previous = bytes('wrapped')) => ({
      kid,
      wrappedSeed: bytes(`anew-${kid}`),
      rootFingerprint: 'next',
      previous,
    })

    it('wraps all keys and leaves their states', async () => {
      const store = await open()
      await store.insertKey(sampleKey())
      await store.insertKey(sampleKey({ kid: newKid, state: 'retired' }))
      expect(await store.rewrapKeys([rewrapped(oldKid), rewrapped(newKid)])).toBe(true)
      const anew = (kid: string) => ({ wrappedSeed: bytes(`anew-${kid}`), rootFingerprint: 'next' })
      expect(await store.listKeys()).toEqual([
        sampleKey(anew(oldKid)),
        sampleKey({ kid: newKid, state: 'retired', ...anew(newKid) }),
      ])
    })

    it.each([
      ['one is missing', [rewrapped(oldKid)]],
      ['one is unknown', [rewrapped(oldKid), rewrapped(newKid), rewrapped('cc')]],
      ['one has changed', [rewrapped(oldKid), rewrapped(newKid, bytes('other'))]],
    ])('changes nothing if %s', async (_, keys) => {
      const store = await open()
      await store.insertKey(sampleKey())
      await store.insertKey(sampleKey({ kid: newKid, state: 'active' }))
      const before = await store.listKeys()
      expect(await store.rewrapKeys(keys)).toBe(false)
      expect(await store.listKeys()).toEqual(before)
    })
  })

  describe('listSealedValues()', () => {
    it('lists every place once, in pages of any size, with what it is bound to', async () => {
      const store = await open()
      await fill(store, oldKid)
      await connect(store, { id: 'c3', account: 'carol', sealedAccessToken: sealedWith(newKid, 'n') })
      const all = await store.listSealedValues({ kid: oldKid, limit: 100 })
      const bound = { grantEpoch: 1, origin: 'https://api.pinterest.example' }
      expect(all.map(({ context }) => context)).toEqual([
        { table: 'connections', column: 'access_token', id: 'c1', ...bound },
        { table: 'connections', column: 'access_token', id: 'c2', ...bound },
        { table: 'connections', column: 'refresh_token', id: 'c1', ...bound },
        { table: 'connections', column: 'refresh_token', id: 'c2', ...bound },
        { table: 'connections', column: 'sibling', id: 'c1', ...bound },
        { table: 'revocations', column: 'access_token', id: 'r1', ...bound },
        { table: 'revocations', column: 'refresh_token', id: 'r1', ...bound },
        { table: 'consents', column: 'verifier', id: 'k1', grantEpoch: 0, origin: '' },
      ])
      expect(Buffer.from(all[0]?.sealed ?? [])).toEqual(sealedWith(oldKid, 'c-access'))
      for (const limit of [1, 2, 3, 7, 8]) {
        const paged = []
        for (let page = await store.listSealedValues({ kid: oldKid, limit }); page.length > 0; ) {
          paged.push(...page)
          page = await store.listSealedValues({ kid: oldKid, after: page.at(-1)?.context, limit })
        }
        expect(paged, `${limit}`).toEqual(all)
      }
    })
  })

  describe('replaceSealedValues()', () => {
    it('replaces what is still there, and nothing that was renewed meanwhile', async () => {
      const store = await open()
      await fill(store, oldKid)
      const values = await store.listSealedValues({ kid: oldKid, limit: 100 })
      const renewed = await connect(store, {
        expected: { id: 'c1', grantEpoch: 1 },
        sealedAccessToken: sealedWith(newKid, 'renewed'),
        sealedRefreshToken: sealedWith(newKid, 'renewed'),
      })
      const resealed = values.map(value => ({ ...value, resealed: sealedWith(newKid, 'resealed') }))
      expect(await store.replaceSealedValues(resealed)).toBe(values.length - 3)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(renewed)
      expect(await store.findConnection('pinterest', 'bob')).toMatchObject({
        counter: 1,
        sealedAccessToken: sealedWith(newKid, 'resealed'),
      })
      expect(await store.listSealedValues({ kid: oldKid, limit: 1 })).toEqual([])
    })
  })

  describe('countSealedValues()', () => {
    it('counts by key, over all places', async () => {
      const store = await open()
      expect(await store.countSealedValues()).toEqual([])
      await fill(store, oldKid)
      await connect(store, {
        id: 'c3',
        account: 'carol',
        sealedAccessToken: sealedWith(newKid, 'n'),
        sealedRefreshToken: undefined,
      })
      expect(await store.countSealedValues()).toEqual([
        { kid: oldKid, count: 8 },
        { kid: newKid, count: 1 },
      ])
    })

    it('counts what is listed, whatever changes', async () => {
      const store = await open()
      const counts: string[] = []
      const count = async () => {
        const counted = await store.countSealedValues()
        const kids = [oldKid, newKid]
        const listed = await Promise.all(kids.map(kid => store.listSealedValues({ kid, limit: 100 })))
        const found = kids.map((kid, index) => ({ kid, count: listed[index]?.length ?? 0 }))
        expect(counted).toEqual(found.filter(({ count }) => count > 0))
        counts.push(found.map(({ count }) => count).join(' '))
      }
      const tokens = (kid: string) => ({
        sealedAccessToken: sealedWith(kid, 'a'),
        sealedRefreshToken: sealedWith(kid, 'r'),
      })
      await fill(store, oldKid)
      await count()
      const bob = { id: 'c2', grantEpoch: 1, counter: 1 }
      const renewed = await store.commitRefresh(bob, sampleSuccess(tokens(newKid)))
      await count()
      await store.forgetRefreshToken(baseOf(renewed ?? bob))
      await count()
      await connect(store, { expected: { id: 'c1', grantEpoch: 1 }, ...tokens(newKid) })
      await count()
      await store.replaceRevocationTokens('r1', { sealedRefreshToken: sealedWith(newKid, 'r') })
      await count()
      await store.takeConsentByState('state-1')
      await store.holdConsent('k1', sampleHold({ sealedCode: sealedWith(newKid, 'code') }))
      await count()
      await store.finishConsent('k1', { state: 'COMPLETED', finishedAt: t0 })
      await store.removeRevocation('r1')
      await count()
      await store.removeConnection('pinterest', 'alice')
      await store.removeConnection('pinterest', 'bob')
      await count()
      expect(counts).toEqual(['8 0', '6 2', '6 1', '3 3', '2 4', '2 5', '0 3', '0 0'])
    })
  })
}
