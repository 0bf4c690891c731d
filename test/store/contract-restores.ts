import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  movedBases,
  sampleAttempt,
  sampleFailure,
  sampleSuccess,
  t0,
} from './samples.ts'

const check = { now: t0, exempt: ['square'], everyMs: 200 }

/** Accepted copies, and tokens that move to another endpoint. */
export function restoreContract(open: OpenStore): void {
  describe('beginRestoreCheck()', () => {
    it('makes what could have been replaced suspect and due, one after the other', async () => {
      const store = await open()
      expect(await store.restoreReport()).toBeUndefined()
      const untouched = [
        await connect(store, { id: 'c3', account: 'carol', sealedRefreshToken: undefined }),
        await connect(store, { id: 'c4', provider: 'square', account: 'dave' }),
      ]
      await connect(store)
      await connect(store, { id: 'c2', account: 'bob', nextRefreshAt: undefined })
      expect(await store.beginRestoreCheck(check)).toBe(2)
      expect(await store.findConnection('pinterest', 'alice')).toMatchObject({
        suspect: true,
        nextRefreshAt: t0,
        counter: 1,
      })
      expect(await store.findConnection('pinterest', 'bob')).toMatchObject({
        suspect: true,
        nextRefreshAt: t0 + 200,
      })
      for (const row of untouched) {
        expect(await store.findConnection(row.provider, row.account)).toEqual(row)
      }
    })

    it('knows what became of each', async () => {
      const store = await open()
      const rows = []
      for (const id of ['a', 'b', 'c', 'd', 'e']) rows.push(await connect(store, { id, account: id }))
      const [a, b, c, d] = rows
      if (!a || !b || !c || !d) throw new Error('missing')
      await store.beginRestoreCheck(check)
      await store.commitRefresh(baseOf(a), sampleSuccess())
      await store.beginAttempt(sampleAttempt(b))
      await store.failRefresh(baseOf(b), sampleFailure({ state: 'REAUTH_REQUIRED', stateReason: 'refused' }))
      await store.removeConnection('pinterest', 'c')
      await connect(store, { id: 'd', account: 'd', expected: { id: 'd', grantEpoch: 1 } })
      const report = { acceptedAt: t0, survived: 3, lost: 1, pending: 1 }
      expect(await store.restoreReport()).toEqual({
        ...report,
        lostConnections: [{ provider: 'pinterest', account: 'b' }],
      })
      await store.noteRestoreReported(t0 + 5)
      expect(await store.restoreReport()).toMatchObject({ ...report, reportedAt: t0 + 5 })
      await store.beginRestoreCheck({ ...check, now: t0 + 9 })
      expect(await store.restoreReport()).toEqual({
        acceptedAt: t0 + 9,
        survived: 0,
        lost: 0,
        pending: 3,
        lostConnections: [],
      })
    })
  })

  describe('rebindConnection()', () => {
    const rebinding = {
      tokenOrigin: 'https://new.example',
      endpointOrigins: ['https://new.example', 'https://revoke.example'],
      clientFingerprint: 'client-2',
      sealedAccessToken: bytes('a-2'),
      sealedRefreshToken: bytes('r-2'),
      nextRefreshAt: t0 + 5,
    }

    it('changes the place of the tokens and raises the counter', async () => {
      const store = await open()
      const row = await connect(store)
      await store.keepSibling(row, { sealedRefreshToken: bytes('s'), until: t0, nextRefreshAt: t0 + 10 })
      const rebound = await store.rebindConnection(row, rebinding)
      expect(rebound).toMatchObject({ ...rebinding, counter: 2, grantEpoch: 1, version: 'v1', suspect: true })
      expect(rebound?.sealedSibling).toBeUndefined()
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toBeUndefined()
    })

    it('makes nothing due that is not', async () => {
      const store = await open()
      const row = await connect(store, { nextRefreshAt: undefined })
      expect((await store.rebindConnection(row, rebinding))?.nextRefreshAt).toBeUndefined()
    })

    it('changes nothing if the base has moved', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.rebindConnection(base, rebinding), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
    })
  })
}
