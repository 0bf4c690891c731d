import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  sampleAttempt,
  sampleFailure,
  sampleGrant,
  sampleSibling,
  sampleSuccess,
  t0,
} from './samples.ts'

/** The refresh token of a late success beside the stored one. */
export function siblingContract(open: OpenStore): void {
  /** A connection that was renewed by somebody else while its own late success came in. */
  async function openWithSibling(changes: Partial<ReturnType<typeof sampleSibling>> = {}) {
    const store = await open()
    const first = await connect(store)
    const renewed = await store.commitRefresh(baseOf(first), sampleSuccess())
    const row = await store.keepSibling({ id: first.id, grantEpoch: 1 }, sampleSibling(changes))
    if (renewed === undefined || row === undefined) throw new Error('the sample was not accepted')
    return { store, renewed, row }
  }

  describe('keepSibling()', () => {
    it('keeps it beside the stored tokens, makes the connection suspect and due', async () => {
      const { store, renewed, row } = await openWithSibling()
      expect(row).toEqual({
        ...renewed,
        suspect: true,
        sealedSibling: bytes('sibling-1'),
        siblingUntil: t0 + 86_400_000,
        nextRefreshAt: t0 + 12_000,
      })
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
    })

    it('does not put off what is due earlier, and makes due what is not', async () => {
      const { store, row } = await openWithSibling({ nextRefreshAt: t0 + 8_000_000 })
      expect(row.nextRefreshAt).toBe(t0 + 7_000_000)
      await store.forgetRefreshToken(baseOf(row))
      const later = await store.keepSibling(row, sampleSibling({ nextRefreshAt: t0 + 9_000_000 }))
      expect(later?.nextRefreshAt).toBe(t0 + 9_000_000)
    })

    it('takes the place of an older sibling', async () => {
      const { store, row } = await openWithSibling()
      const newer = sampleSibling({ sealedRefreshToken: bytes('sibling-2'), until: t0 + 5 })
      expect(await store.keepSibling(row, newer)).toEqual({
        ...row,
        sealedSibling: bytes('sibling-2'),
        siblingUntil: t0 + 5,
      })
    })

    it('changes nothing of another grant, or of one that is gone', async () => {
      const store = await open()
      const row = await connect(store)
      const renewed = await store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } }))
      expect(await store.keepSibling(row, sampleSibling())).toBeUndefined()
      expect(await store.keepSibling({ id: 'c1', grantEpoch: 3 }, sampleSibling())).toBeUndefined()
      expect(await store.keepSibling({ id: 'other', grantEpoch: 2 }, sampleSibling())).toBeUndefined()
      expect(await store.findConnection('pinterest', 'alice')).toEqual(renewed)
      await store.removeConnection('pinterest', 'alice')
      expect(await store.keepSibling({ id: 'c1', grantEpoch: 2 }, sampleSibling())).toBeUndefined()
    })

    it('does not survive a new grant', async () => {
      const { store } = await openWithSibling()
      const granted = await store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } }))
      expect(granted).toMatchObject({ suspect: false, grantEpoch: 2 })
      expect(granted?.sealedSibling).toBeUndefined()
      expect(granted?.siblingUntil).toBeUndefined()
    })
  })

  describe('commitRefresh() with a sibling', () => {
    it('that brought the tokens clears it', async () => {
      const { store, row } = await openWithSibling()
      const outcome = sampleSuccess({ version: 'v3', siblingUsed: true })
      const committed = await store.commitRefresh(baseOf(row), outcome)
      expect(committed).toMatchObject({
        version: 'v3',
        sealedRefreshToken: bytes('refresh-2'),
        suspect: false,
      })
      expect(committed?.sealedSibling).toBeUndefined()
      expect(committed?.siblingUntil).toBeUndefined()
      expect(await store.findConnection('pinterest', 'alice')).toEqual(committed)
    })

    it('that brought tokens without a refresh token keeps it, since nothing else works', async () => {
      const { store, row } = await openWithSibling()
      const outcome = sampleSuccess({ sealedRefreshToken: undefined, siblingUsed: true })
      expect(await store.commitRefresh(baseOf(row), outcome)).toMatchObject({
        sealedSibling: bytes('sibling-1'),
        siblingUntil: t0 + 86_400_000,
      })
    })

    it('that brought nothing keeps it for its day', async () => {
      const { store, row } = await openWithSibling()
      const committed = await store.commitRefresh(baseOf(row), sampleSuccess({ siblingUsed: false }))
      expect(committed).toMatchObject({ sealedSibling: bytes('sibling-1'), suspect: false })
    })

    it.each([
      ['that were asked for one millisecond before its end', t0 - 1, t0, true],
      ['that were asked for at its end', t0, t0, false],
      ['that were asked for after its end', t0 + 1, t0 + 2, false],
      ['that were asked for before its end by a clock that was set ahead since', t0 - 1, t0 + 9e9, true],
      ['that were asked for by a clock that was set back since', t0 + 9e9, t0 - 1, true],
    ])('%s', async (_, obtainedAt, now, kept) => {
      const { store, row } = await openWithSibling({ until: t0 })
      const committed = await store.commitRefresh(baseOf(row), sampleSuccess({ obtainedAt, now }))
      expect(committed?.sealedSibling !== undefined).toBe(kept)
      expect(committed?.siblingUntil !== undefined).toBe(kept)
    })
  })

  describe('failRefresh() with a sibling', () => {
    it.each([
      ['that was not tried', undefined, true],
      ['that was tried to no avail', false, true],
      ['that was refused, too', true, false],
    ])('%s', async (_, siblingRefused, kept) => {
      const { store, row } = await openWithSibling()
      await store.beginAttempt(sampleAttempt(row))
      const failed = await store.failRefresh(baseOf(row), sampleFailure({ siblingRefused }))
      expect(failed?.sealedSibling !== undefined).toBe(kept)
      expect(failed?.siblingUntil !== undefined).toBe(kept)
      expect(failed?.suspect).toBe(true)
    })
  })
}
