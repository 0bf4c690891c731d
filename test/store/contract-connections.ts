import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import { baseOf, connect, sampleAttempt, sampleFailure, sampleGrant, t0 } from './samples.ts'

export function connectionContract(open: OpenStore): void {
  describe('findConnection()', () => {
    it.each([
      ['another provider', 'square', 'alice'],
      ['another account', 'pinterest', 'bob'],
      ['another case', 'pinterest', 'Alice'],
      ['a pattern', 'pinterest', 'al%'],
    ])('of %s finds nothing', async (_, provider, account) => {
      const store = await open()
      await connect(store)
      expect(await store.findConnection(provider, account)).toBeUndefined()
    })

    it('keeps accounts of every kind apart', async () => {
      const store = await open()
      const accounts = ['', ' ', "o'hara", 'Zoë', '😀', 'a'.repeat(256)]
      for (const account of accounts) await connect(store, { id: `id ${account}`, account })
      for (const account of accounts) {
        expect((await store.findConnection('pinterest', account))?.id).toBe(`id ${account}`)
      }
    })
  })

  describe('listConnections()', () => {
    const names: readonly [provider: string, account: string][] = [
      ['pinterest', ''],
      ['pinterest', 'Bob'],
      ['pinterest', 'alice'],
      // By bytes U+FF5A comes before U+1F600, by UTF-16 units after it.
      ['pinterest', '\uff5a'],
      ['pinterest', '\u{1f600}'],
      ['pinterest-eu', 'alice'],
      ['square', ''],
    ]
    async function openFilled() {
      const store = await open()
      for (const [index, [provider, account]] of names.entries()) {
        await connect(store, { id: `c${(index * 5) % 7}`, provider, account })
      }
      return store
    }

    it('orders by provider and account, by their bytes', async () => {
      const store = await openFilled()
      const rows = await store.listConnections({ limit: 100 })
      expect(rows.map(({ provider, account }) => [provider, account])).toEqual(names)
    })

    it.each([1, 2, 3, 6, 7, 8])('pages by %i without a gap or a repeat', async limit => {
      const store = await openFilled()
      const seen: [string, string][] = []
      let after: { provider: string; account: string } | undefined
      for (let page = 0; page <= names.length; page++) {
        const rows = await store.listConnections({ limit, after })
        expect(rows.length).toBeLessThanOrEqual(limit)
        seen.push(...rows.map((row): [string, string] => [row.provider, row.account]))
        after = rows.at(-1)
        if (after === undefined) break
      }
      expect(seen).toEqual(names)
    })

    it('filters by provider, exactly', async () => {
      const store = await openFilled()
      const rows = await store.listConnections({ provider: 'pinterest', limit: 100 })
      expect(rows.map(({ account }) => account)).toEqual(['', 'Bob', 'alice', '\uff5a', '\u{1f600}'])
    })

    it('filters by state, and by both, from a position', async () => {
      const store = await openFilled()
      for (const provider of ['pinterest', 'square']) {
        const row = await store.findConnection(provider, '')
        if (row === undefined) throw new Error('missing')
        await store.beginAttempt(sampleAttempt(row))
        await store.failRefresh(
          baseOf(row),
          sampleFailure({ state: 'REAUTH_REQUIRED', stateReason: 'refused' }),
        )
      }
      const failed = await store.listConnections({ state: 'REAUTH_REQUIRED', limit: 100 })
      expect(failed.map(({ provider }) => provider)).toEqual(['pinterest', 'square'])
      const after = { provider: 'pinterest', account: '' }
      expect(await store.listConnections({ state: 'REAUTH_REQUIRED', after, limit: 100 })).toHaveLength(1)
      const both = { provider: 'pinterest', state: 'ACTIVE', after, limit: 2 } as const
      expect((await store.listConnections(both)).map(({ account }) => account)).toEqual(['Bob', 'alice'])
    })

    it('ends before a position, by its bytes', async () => {
      const store = await openFilled()
      const list = async (over: object) =>
        (await store.listConnections({ limit: 9, ...over })).map(({ account }) => account)
      const at = (account: string) => ({ provider: 'pinterest', account })
      expect(await list({ before: at('alice') })).toEqual(['', 'Bob'])
      expect(await list({ after: at('Bob'), before: at('\u{1f600}') })).toEqual(['alice', '\uff5a'])
      expect(await list({ provider: 'pinterest', state: 'ACTIVE', before: at('b') })).toHaveLength(3)
      expect(await list({ provider: 'square', before: at('z') })).toEqual([])
      expect(await list({ after: at('b'), before: at('b') })).toEqual([])
    })

    it('takes a position that is no longer stored', async () => {
      const store = await openFilled()
      const after = { provider: 'pinterest-eu', account: 'zzz' }
      expect((await store.listConnections({ after, limit: 9 })).map(row => row.provider)).toEqual(['square'])
    })

    it.each([0, -1, 1.5, Number.NaN])('refuses a limit of %d', async limit => {
      const store = await openFilled()
      await expect(store.listConnections({ limit })).rejects.toThrow('limit')
    })
  })

  describe('countConnections()', () => {
    it('counts nothing in an empty store', async () => {
      expect(await (await open()).countConnections()).toEqual([])
    })

    it('counts each state of each provider', async () => {
      const store = await open()
      await connect(store)
      await connect(store, { id: 'c2', account: 'bob' })
      const square = await connect(store, { id: 'c3', provider: 'square' })
      await connect(store, { id: 'c4', provider: 'square', account: 'bob' })
      await store.beginAttempt(sampleAttempt(square))
      await store.failRefresh(
        baseOf(square),
        sampleFailure({ state: 'CONNECTION_MISCONFIGURED', stateReason: 'x' }),
      )
      const counts = await store.countConnections()
      expect(counts).toHaveLength(3)
      expect(counts).toEqual(
        expect.arrayContaining([
          { provider: 'pinterest', state: 'ACTIVE', count: 2 },
          { provider: 'square', state: 'ACTIVE', count: 1 },
          { provider: 'square', state: 'CONNECTION_MISCONFIGURED', count: 1 },
        ]),
      )
    })
  })

  describe('listSharedConnections()', () => {
    const { clientFingerprint, tokenOrigin } = sampleGrant()
    const shared = { clientFingerprint, tokenOrigin, providerAccountId: 'p-alice' }

    it('has all connections of the provider account, whatever the provider is called', async () => {
      const store = await open()
      await connect(store, { id: 'c4', provider: 'pinterest-eu' })
      await connect(store, { id: 'c2', account: 'bob' })
      await connect(store, { id: 'c1', account: 'alice' })
      await connect(store, { id: 'c3', account: 'carol', providerAccountId: 'p-carol' })
      await connect(store, { id: 'c5', account: 'dave', clientFingerprint: 'client-2' })
      await connect(store, { id: 'c6', account: 'erin', tokenOrigin: 'https://api.other.example' })
      const ids = (await store.listSharedConnections(shared)).map(({ id }) => id)
      expect(ids).toEqual(['c1', 'c2', 'c4'])
    })

    it('has none for an unknown provider account', async () => {
      const store = await open()
      await connect(store, { providerAccountId: '' })
      expect(await store.listSharedConnections({ ...shared, providerAccountId: '' })).toEqual([])
    })
  })

  describe('touchConnections()', () => {
    it('records the last use, never an older one, and passes over unknown ids', async () => {
      const store = await open()
      const { id } = await connect(store)
      const lastUse = async () => (await store.findConnection('pinterest', 'alice'))?.lastUsedAt
      expect(await lastUse()).toBeUndefined()
      await store.touchConnections([
        { id: 'unknown', lastUsedAt: t0 + 9 },
        { id, lastUsedAt: t0 + 5 },
      ])
      expect(await lastUse()).toBe(t0 + 5)
      await store.touchConnections([{ id, lastUsedAt: t0 + 4 }])
      expect(await lastUse()).toBe(t0 + 5)
      await store.touchConnections([])
    })
  })
}
