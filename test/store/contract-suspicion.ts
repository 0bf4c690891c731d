import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  movedBases,
  sampleAttempt,
  sampleFailure,
  sampleGrant,
  sampleKept,
  sampleSibling,
  sampleSuccess,
  t0,
} from './samples.ts'

/** What happens to refresh tokens beside a success. */
export function suspicionContract(open: OpenStore): void {
  it('doubts tokens that were under way when their predecessor was refused', async () => {
    const store = await open()
    const row = await connect(store)
    await store.beginAttempt(sampleAttempt(row))
    const refusal = { ...sampleFailure().error, class: 'reauthorize', at: t0 + 20_000 }
    await store.failRefresh(baseOf(row), sampleFailure({ state: 'REAUTH_REQUIRED', error: refusal }))
    const late = sampleSuccess({ obtainedAt: t0 + 20_000, now: t0 + 30_000 })
    expect(await store.commitRefresh(baseOf(row), late)).toMatchObject({
      state: 'ACTIVE',
      suspect: true,
      nextRefreshAt: t0 + 30_000,
    })
  })

  it('does not doubt tokens that were asked for after the refusal', async () => {
    const store = await open()
    const row = await connect(store)
    await store.beginAttempt(sampleAttempt(row))
    const refusal = { ...sampleFailure().error, class: 'reauthorize', at: t0 + 20_000 }
    await store.failRefresh(baseOf(row), sampleFailure({ error: refusal }))
    const success = sampleSuccess({ obtainedAt: t0 + 20_001 })
    expect(await store.commitRefresh(baseOf(row), success)).toMatchObject({ suspect: false })
  })

  it('leaves open what an earlier attempt left open, until a grant ends', async () => {
    const store = await open()
    const row = await connect(store)
    await store.beginAttempt(sampleAttempt(row, { now: t0 + 1_000 }))
    await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', now: t0 + 2_000 }))
    const definite = sampleFailure({ attemptId: 'a2', outcomeUnknown: false, state: 'ACTIVE' })
    const stored = await store.failRefresh(baseOf(row), definite)
    expect(stored).toMatchObject({ outcomeUnknownSince: t0 + 1_000, outcomeUnknownTries: 1 })
    await store.beginAttempt(sampleAttempt(row, { attemptId: 'a3', now: t0 + 3_000 }))
    const end = sampleFailure({ attemptId: 'a3', outcomeUnknown: false, state: 'REAUTH_REQUIRED' })
    expect((await store.failRefresh(baseOf(row), end))?.outcomeUnknownSince).toBeUndefined()
  })

  it('keeps a refusal that another attempt has yet to hear of, unless the tokens were replaced', async () => {
    const store = await open()
    const row = await connect(store)
    const refusal = { ...sampleFailure().error, class: 'reauthorize', at: t0 + 20_000 }
    await store.beginAttempt(sampleAttempt(row))
    const stored = await store.markSuspect(baseOf(row), t0 + 20_000, refusal)
    expect(stored).toMatchObject({ state: 'ACTIVE', suspect: true, lastError: refusal })
    const late = sampleSuccess({ obtainedAt: t0 + 20_000, now: t0 + 30_000 })
    const renewed = await store.commitRefresh(baseOf(row), late)
    expect(renewed).toMatchObject({ suspect: true, nextRefreshAt: t0 + 30_000 })
    const again = await store.markSuspect(baseOf(row), t0 + 40_000, refusal)
    expect(again?.lastError).toBeUndefined()
  })

  describe('bringForward()', () => {
    const shift = { after: t0, latest: Number.MAX_SAFE_INTEGER, irreplaceableByMs: 0 }
    const timesOf = async (store: Store) =>
      (await store.listConnections({ limit: 10 })).map(({ obtainedAt, expiresAt }) => [obtainedAt, expiresAt])

    it('moves what comes later, and nothing before the given time', async () => {
      const store = await open()
      await connect(store, { id: 'c1', account: 'a', nextRefreshAt: t0 + 10_000 })
      await connect(store, { id: 'c2', account: 'b', nextRefreshAt: t0 + 1_000 })
      await connect(store, { id: 'c3', account: 'c', nextRefreshAt: t0 - 5 })
      await connect(store, { id: 'c4', account: 'd', nextRefreshAt: undefined })
      await store.bringForward({ ...shift, byMs: 4_000 })
      const rows = await store.listConnections({ limit: 10 })
      expect(rows.map(row => row.nextRefreshAt)).toEqual([t0 + 6_000, t0, t0 - 5, undefined])
    })

    it('makes everything due where nobody knows by how much', async () => {
      const store = await open()
      await connect(store, { id: 'c1', account: 'a', nextRefreshAt: t0 + 10_000 })
      await connect(store, { id: 'c2', account: 'b', nextRefreshAt: t0 - 5 })
      await store.bringForward({ ...shift, byMs: 4_000, latest: t0 })
      const rows = await store.listConnections({ limit: 10 })
      expect(rows.map(row => row.nextRefreshAt)).toEqual([t0, t0 - 5])
    })

    it('ends access tokens as much earlier, whose lifetime stays', async () => {
      const store = await open()
      await connect(store, { id: 'c1', account: 'a', obtainedAt: t0, expiresAt: t0 + 10_000 })
      await connect(store, { id: 'c2', account: 'b', obtainedAt: 0, expiresAt: t0 + 1_000 })
      await connect(store, { id: 'c3', account: 'c', obtainedAt: t0, expiresAt: undefined })
      await store.bringForward({ ...shift, byMs: 4_000 })
      expect(await timesOf(store)).toEqual([
        [t0 - 4_000, t0 + 6_000],
        [0, t0 - 3_000],
        [t0, undefined],
      ])
    })

    it('ends access tokens now at the latest where no age can be told', async () => {
      const store = await open()
      await connect(store, { id: 'c1', account: 'a', obtainedAt: t0, expiresAt: t0 + 10_000 })
      await connect(store, { id: 'c2', account: 'b', obtainedAt: t0, expiresAt: t0 + 1_000 })
      await connect(store, { id: 'c3', account: 'c', obtainedAt: 0, expiresAt: t0 + 9_000 })
      await store.bringForward({ ...shift, byMs: 4_000, latest: t0 })
      expect(await timesOf(store)).toEqual([
        [t0 - 10_000, t0],
        [t0 - 4_000, t0 - 3_000],
        [0, t0],
      ])
    })

    it('ends what has no refresh token by the time that is said for it', async () => {
      const store = await open()
      const irreplaceable = { obtainedAt: t0, expiresAt: t0 + 10_000, sealedRefreshToken: undefined }
      await connect(store, irreplaceable)
      await store.bringForward({ ...shift, byMs: 4_000, latest: t0, irreplaceableByMs: 3_000 })
      expect(await timesOf(store)).toEqual([[t0 - 3_000, t0 + 7_000]])
    })
  })

  describe('keepRefreshToken()', () => {
    it('replaces the refresh token alone, ends the attempt and counts a failure', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ outcomeUnknown: true }))
      await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', failures: 1 }))
      const kept = sampleKept()
      const expected = {
        ...row,
        sealedRefreshToken: bytes('refresh-kept'),
        counter: 2,
        suspect: true,
        leaseEpoch: 2,
        failures: 2,
        failingSince: t0 + 20_000,
        lastError: kept.error,
        nextRefreshAt: t0 + 11_000,
      }
      expect(await store.keepRefreshToken(baseOf(row), kept)).toEqual(expected)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(expected)
    })

    it('tells since when it fails, if it is the first failure', async () => {
      const store = await open()
      const row = await connect(store)
      expect(await store.keepRefreshToken(baseOf(row), sampleKept())).toMatchObject({
        failures: 1,
        failingSince: t0 + 10_000,
      })
    })

    it('is accepted late, while somebody else has the lease, and shuts that one out', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const later = { attemptId: 'a2', now: t0 + 30_000, leaseOwner: 'broker-2', leaseUntil: t0 + 50_000 }
      await store.beginAttempt(sampleAttempt(row, later))
      expect(await store.keepRefreshToken(baseOf(row), sampleKept())).toMatchObject({ counter: 2 })
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toBeUndefined()
      expect(await store.failRefresh(baseOf(row), sampleFailure({ attemptId: 'a2' }))).toBeUndefined()
    })

    it('keeps state and sibling', async () => {
      const store = await open()
      const row = await connect(store)
      await store.keepSibling(row, sampleSibling())
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ state: 'REAUTH_REQUIRED', stateReason: 'x' }))
      expect(await store.keepRefreshToken(baseOf(row), sampleKept())).toMatchObject({
        state: 'REAUTH_REQUIRED',
        stateReason: 'x',
        sealedSibling: bytes('sibling-1'),
      })
    })

    it('changes nothing if the base has moved or the connection is gone', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.keepRefreshToken(base, sampleKept()), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
      await store.removeConnection('pinterest', 'alice')
      expect(await store.keepRefreshToken(baseOf(row), sampleKept())).toBeUndefined()
    })
  })

  describe('markSuspect()', () => {
    it.each([
      ['earlier than it is due', t0 + 2_999_999, t0 + 2_999_999],
      ['when it is due', t0 + 3_000_000, t0 + 3_000_000],
      ['later than it is due', t0 + 3_000_001, t0 + 3_000_000],
    ])('makes it due at the earlier time: %s', async (_, given, next) => {
      const store = await open()
      const row = await connect(store)
      const expected = { ...row, suspect: true, nextRefreshAt: next }
      expect(await store.markSuspect(row, given)).toEqual(expected)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(expected)
    })

    it('makes a connection due that was not', async () => {
      const store = await open()
      const row = await connect(store, { nextRefreshAt: undefined })
      expect(await store.markSuspect(row, t0)).toMatchObject({ suspect: true, nextRefreshAt: t0 })
    })

    it('does not ask for the counter, and leaves an attempt alone', async () => {
      const store = await open()
      const row = await connect(store)
      const renewed = await store.commitRefresh(baseOf(row), sampleSuccess())
      await store.beginAttempt(sampleAttempt(row, { counter: 2 }))
      const begun = await store.findConnection('pinterest', 'alice')
      const marked = await store.markSuspect({ id: row.id, grantEpoch: 1 }, t0)
      expect(marked).toEqual({ ...begun, suspect: true, nextRefreshAt: t0 })
      expect(marked?.counter).toBe(renewed?.counter)
    })

    it('is ended by the next success', async () => {
      const store = await open()
      const row = await connect(store)
      await store.markSuspect(row, t0)
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toMatchObject({ suspect: false })
    })

    it('changes nothing of another grant, or of one that is gone', async () => {
      const store = await open()
      const row = await connect(store)
      const renewed = await store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } }))
      expect(await store.markSuspect(row, t0)).toBeUndefined()
      expect(await store.markSuspect({ id: 'c1', grantEpoch: 3 }, t0)).toBeUndefined()
      expect(await store.markSuspect({ id: 'other', grantEpoch: 2 }, t0)).toBeUndefined()
      expect(await store.findConnection('pinterest', 'alice')).toEqual(renewed)
      await store.removeConnection('pinterest', 'alice')
      expect(await store.markSuspect({ id: 'c1', grantEpoch: 2 }, t0)).toBeUndefined()
    })
  })

  describe('forgetRefreshToken()', () => {
    it('removes refresh token and sibling, and ends the renewal', async () => {
      const store = await open()
      const row = await connect(store)
      await store.keepSibling(row, sampleSibling())
      const {
        sealedRefreshToken: _token,
        refreshExpiresAt: _end,
        nextRefreshAt: _next,
        ...expected
      } = { ...row, suspect: true }
      expect(await store.forgetRefreshToken(baseOf(row))).toEqual(expected)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(expected)
    })

    it('waits for an attempt: its success may bring no other refresh token', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      expect(await store.forgetRefreshToken(baseOf(row))).toBeUndefined()
      const success = { ...sampleSuccess(), sealedRefreshToken: undefined }
      expect(await store.commitRefresh(baseOf(row), success)).toMatchObject({
        sealedRefreshToken: row.sealedRefreshToken,
      })
    })

    it('ends an unknown outcome that nothing can settle any more', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.adoptAttempts({ now: t0, leases: 'all' })
      const forgotten = await store.forgetRefreshToken(baseOf(row))
      expect(forgotten).toMatchObject({ outcomeUnknownTries: 0 })
      expect(forgotten?.outcomeUnknownSince).toBeUndefined()
    })

    it('changes nothing if the base has moved or the connection is gone', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.forgetRefreshToken(base), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
      await store.removeConnection('pinterest', 'alice')
      expect(await store.forgetRefreshToken(baseOf(row))).toBeUndefined()
    })
  })
}
