import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import { baseOf, connect, movedBases, sampleAttempt, sampleFailure, t0 } from './samples.ts'

export function attemptContract(open: OpenStore): void {
  describe('beginAttempt()', () => {
    it('records the attempt, the unknown outcome and the lease', async () => {
      const store = await open()
      const row = await connect(store)
      expect(await store.beginAttempt(sampleAttempt(row))).toBe(true)
      expect(await store.findConnection('pinterest', 'alice')).toEqual({
        ...row,
        attemptId: 'a1',
        attemptStartedAt: t0 + 5_000,
        outcomeUnknownSince: t0 + 5_000,
        leaseEpoch: 1,
        leaseOwner: 'broker-1',
        leaseUntil: t0 + 20_000,
      })
    })

    it('keeps the time since which the outcome is unknown', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', now: t0 + 6_000 }))
      expect(await store.findConnection('pinterest', 'alice')).toMatchObject({
        attemptId: 'a2',
        attemptStartedAt: t0 + 6_000,
        outcomeUnknownSince: t0 + 5_000,
        leaseEpoch: 2,
      })
    })

    it('changes nothing if the base has moved', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.beginAttempt(sampleAttempt(base)), name).toBe(false)
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
    })

    it('changes nothing if another attempt has failed meanwhile, by which this one would be judged', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const failed = await store.failRefresh(baseOf(row), sampleFailure())
      expect(await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2' }))).toBe(false)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(failed)
    })

    it.each([
      ['one millisecond before the end', t0 + 19_999, false],
      ['at the end', t0 + 20_000, true],
      ['one millisecond after the end', t0 + 20_001, true],
    ])("%s of another's lease", async (_, now, allowed) => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const held = await store.findConnection('pinterest', 'alice')
      const attempt = sampleAttempt(row, { attemptId: 'a2', now, leaseOwner: 'broker-2' })
      expect(await store.beginAttempt(attempt)).toBe(allowed)
      if (!allowed) expect(await store.findConnection('pinterest', 'alice')).toEqual(held)
    })

    it('lets one of two owners begin', async () => {
      const store = await open()
      const row = await connect(store)
      const begun = await Promise.all([
        store.beginAttempt(sampleAttempt(row, { leaseOwner: 'broker-1' })),
        store.beginAttempt(sampleAttempt(row, { leaseOwner: 'broker-2' })),
      ])
      expect(begun.filter(Boolean)).toHaveLength(1)
    })

    it('is allowed in every state, since a refused token may come to life again', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ state: 'REAUTH_REQUIRED' }))
      expect(await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', failures: 1 }))).toBe(true)
    })
  })

  describe('failRefresh()', () => {
    it('records the error and ends attempt and lease', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const failure = sampleFailure()
      expect(await store.failRefresh(baseOf(row), failure)).toEqual({
        ...row,
        leaseEpoch: 1,
        failures: 1,
        failingSince: t0 + 20_000,
        lastError: failure.error,
        nextRefreshAt: t0 + 60_000,
      })
    })

    it('counts failures, and keeps since when it fails', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [failures, at] of [t0 + 1, t0 + 2].entries()) {
        await store.beginAttempt(sampleAttempt(row, { failures }))
        await store.failRefresh(baseOf(row), sampleFailure({ error: { ...sampleFailure().error, at } }))
      }
      expect(await store.findConnection('pinterest', 'alice')).toMatchObject({
        failures: 2,
        failingSince: t0 + 1,
        lastError: { at: t0 + 2 },
      })
    })

    it('keeps an unknown outcome and counts its tries, until one is known', async () => {
      const store = await open()
      const row = await connect(store)
      for (const tries of [1, 2]) {
        await store.beginAttempt(sampleAttempt(row, { failures: tries - 1, now: t0 + 5_000 * tries }))
        expect(await store.failRefresh(baseOf(row), sampleFailure({ outcomeUnknown: true }))).toMatchObject({
          outcomeUnknownSince: t0 + 5_000,
          outcomeUnknownTries: tries,
        })
      }
      await store.beginAttempt(sampleAttempt(row, { failures: 2 }))
      const known = await store.failRefresh(baseOf(row), sampleFailure())
      expect(known?.outcomeUnknownSince).toBeUndefined()
      expect(known?.outcomeUnknownTries).toBe(0)
    })

    it('changes the state with its time and not the counter', async () => {
      const store = await open()
      const row = await connect(store)
      const failed = { state: 'REAUTH_REQUIRED', stateReason: 'refresh_token_refused' } as const
      for (const [failures, at] of [t0 + 30_000, t0 + 40_000].entries()) {
        await store.beginAttempt(sampleAttempt(row, { failures }))
        const error = { ...sampleFailure().error, at }
        expect(await store.failRefresh(baseOf(row), sampleFailure({ ...failed, error }))).toMatchObject({
          ...failed,
          stateSince: t0 + 30_000,
          counter: 1,
        })
      }
    })

    it('can stop the renewal', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ nextRefreshAt: undefined }))
      expect((await store.findConnection('pinterest', 'alice'))?.nextRefreshAt).toBeUndefined()
    })

    it('changes nothing if the base has moved', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const begun = await store.findConnection('pinterest', 'alice')
      for (const [name, base] of movedBases(row)) {
        expect(await store.failRefresh(base, sampleFailure()), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(begun)
    })

    it.each([
      ['another attempt has begun', 'a0'],
      ['no attempt is named', ''],
    ])('changes nothing if %s', async (_, attemptId) => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const begun = await store.findConnection('pinterest', 'alice')
      expect(await store.failRefresh(baseOf(row), sampleFailure({ attemptId }))).toBeUndefined()
      expect(await store.findConnection('pinterest', 'alice')).toEqual(begun)
    })

    it('changes nothing the second time', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure())
      expect(await store.failRefresh(baseOf(row), sampleFailure())).toBeUndefined()
      expect((await store.findConnection('pinterest', 'alice'))?.failures).toBe(1)
    })
  })
}
