import { describe, expect, it } from 'vitest'
import type { RevocationRow } from '../../src/store/rows.ts'
import type { OpenStore } from './contract.ts'
import { bytes, connect, sampleRevocation, t0 } from './samples.ts'

export function revocationContract(open: OpenStore): void {
  async function openWith(...revocations: readonly Partial<RevocationRow>[]) {
    const store = await open()
    for (const revocation of revocations) {
      await connect(store)
      await store.removeConnection('pinterest', 'alice', () => ({
        revocations: [sampleRevocation(revocation)],
      }))
    }
    return store
  }

  describe('listDueRevocations()', () => {
    it('has what is due to the millisecond, the most overdue first', async () => {
      const store = await openWith(
        { id: 'late', nextTryAt: t0 + 1 },
        { id: 'now', nextTryAt: t0 },
        { id: 'overdue', nextTryAt: t0 - 1 },
      )
      const due = async (limit: number) => (await store.listDueRevocations(t0, limit)).map(({ id }) => id)
      expect(await due(10)).toEqual(['overdue', 'now'])
      expect(await due(1)).toEqual(['overdue'])
      await expect(due(0)).rejects.toThrow('limit')
    })

    it('keeps a revocation of one token only', async () => {
      const sparse = sampleRevocation({ sealedAccessToken: undefined, providerAccountId: '', attributes: {} })
      const store = await openWith(sparse)
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([sparse])
    })
  })

  describe('addRevocation()', () => {
    it('files one without a connection', async () => {
      const store = await open()
      await store.addRevocation(sampleRevocation())
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([sampleRevocation()])
    })

    it('refuses an id that is used and keeps what it names', async () => {
      const store = await openWith({})
      await expect(store.addRevocation(sampleRevocation({ tries: 7 }))).rejects.toThrow()
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([sampleRevocation()])
    })
  })

  describe('replaceRevocationTokens()', () => {
    const sealedAccessToken = bytes('new-access')
    const sealedRefreshToken = bytes('new-refresh')

    it.each([
      ['both', { sealedAccessToken, sealedRefreshToken }],
      ['the access token', { sealedAccessToken }],
      ['the refresh token', { sealedRefreshToken }],
      ['nothing', {}],
    ])('replaces %s and keeps the rest', async (_, tokens) => {
      const store = await openWith({}, { id: 'r2' })
      await store.replaceRevocationTokens('r1', tokens)
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([
        sampleRevocation(tokens),
        sampleRevocation({ id: 'r2' }),
      ])
    })

    it('gives a token to a revocation that had none, and passes over an unknown id', async () => {
      const store = await openWith({ sealedRefreshToken: undefined })
      await store.replaceRevocationTokens('unknown', { sealedAccessToken })
      await store.replaceRevocationTokens('r1', { sealedRefreshToken })
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([
        sampleRevocation({ sealedRefreshToken }),
      ])
    })
  })

  describe('rescheduleRevocation()', () => {
    it('sets time and tries, and passes over an unknown id, which it says', async () => {
      const store = await openWith({})
      expect(await store.rescheduleRevocation('unknown', t0, 9)).toBe(false)
      expect(await store.rescheduleRevocation('r1', t0 + 5_000, 1)).toBe(true)
      expect(await store.listDueRevocations(t0 + 4_999, 10)).toEqual([])
      expect(await store.listDueRevocations(t0 + 5_000, 10)).toEqual([
        sampleRevocation({ nextTryAt: t0 + 5_000, tries: 1 }),
      ])
    })
  })

  describe('removeRevocation()', () => {
    it('removes one, and passes over an unknown id', async () => {
      const store = await openWith({}, { id: 'r2' })
      for (const id of ['unknown', 'r1', 'r1']) await store.removeRevocation(id)
      expect((await store.listDueRevocations(t0 + 1_000, 10)).map(({ id }) => id)).toEqual(['r2'])
    })
  })
}
