import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  sampleAttempt,
  sampleConsent,
  sampleFailure,
  sampleGrant,
  sampleHold,
  sampleRevocation,
  sparseGrant,
  t0,
} from './samples.ts'

/** What a connection has before anything happened to it. */
const untouched = {
  state: 'ACTIVE',
  stateReason: '',
  stateSince: t0,
  grantEpoch: 1,
  counter: 1,
  outcomeUnknownTries: 0,
  suspect: false,
  leaseEpoch: 0,
  failures: 0,
}

export function grantContract(open: OpenStore): void {
  describe('saveGrant()', () => {
    it.each([
      ['everything', sampleGrant()],
      ['the least', sparseGrant()],
    ])('of a new connection keeps %s', async (_, grant) => {
      const store = await open()
      const saved = await store.saveGrant(grant)
      const { expected: _expected, cancelRevocations: _cancel, ...facts } = grant
      expect(saved).toEqual({ ...facts, ...untouched })
      expect(await store.findConnection('pinterest', 'alice')).toEqual(saved)
    })

    it('changes nothing if none is expected and one is stored', async () => {
      const store = await open()
      const stored = await connect(store)
      expect(await store.saveGrant(sampleGrant({ id: 'c2', version: 'v9' }))).toBeUndefined()
      expect(await store.listConnections({ limit: 10 })).toEqual([stored])
    })

    it.each([
      ['none is stored', 'bob', { id: 'c1', grantEpoch: 1 }],
      ['another id is stored', 'alice', { id: 'c0', grantEpoch: 1 }],
      ['an older epoch is stored', 'alice', { id: 'c1', grantEpoch: 2 }],
      ['a newer epoch is stored', 'alice', { id: 'c1', grantEpoch: 0 }],
    ])('changes nothing if one is expected and %s', async (_, account, expected) => {
      const store = await open()
      const stored = await connect(store)
      await store.removeConnection('pinterest', 'carol')
      expect(await store.saveGrant(sampleGrant({ account, expected, version: 'v9' }))).toBeUndefined()
      expect(await store.listConnections({ limit: 10 })).toEqual([stored])
    })

    it('replaces all of the expected connection, and ends what went on with the old grant', async () => {
      const store = await open()
      const first = await connect(store)
      await store.touchConnections([{ id: 'c1', lastUsedAt: t0 + 77 }])
      await store.beginAttempt(sampleAttempt(first))
      await store.failRefresh(
        baseOf(first),
        sampleFailure({ outcomeUnknown: true, state: 'REAUTH_REQUIRED' }),
      )
      await store.beginAttempt(sampleAttempt(first, { attemptId: 'a2', failures: 1 }))
      const grant = sparseGrant({
        expected: { id: 'c1', grantEpoch: 1 },
        connectTime: t0 + 100_000,
        version: 'v9',
        attributes: {},
      })
      const second = await store.saveGrant(grant)
      const { expected: _expected, cancelRevocations: _cancel, ...facts } = grant
      expect(second).toEqual({
        ...facts,
        ...untouched,
        stateSince: t0 + 100_000,
        grantEpoch: 2,
        counter: 2,
        lastUsedAt: t0 + 77,
        leaseEpoch: 2,
      })
      expect(await store.findConnection('pinterest', 'alice')).toEqual(second)
      expect(await store.adoptAttempts({ now: t0, leases: 'all' })).toBe(0)
    })

    it('accepts one of two that expect the same', async () => {
      const store = await open()
      await connect(store)
      const expected = { id: 'c1', grantEpoch: 1 }
      const saved = await Promise.all([
        store.saveGrant(sampleGrant({ expected, version: 'left' })),
        store.saveGrant(sampleGrant({ expected, version: 'right' })),
      ])
      expect(saved.filter(row => row !== undefined)).toHaveLength(1)
    })

    it('refuses to replace a connection under another id', async () => {
      const store = await open()
      const stored = await connect(store)
      const grant = sampleGrant({ id: 'c2', expected: { id: 'c1', grantEpoch: 1 } })
      await expect(store.saveGrant(grant)).rejects.toThrow('must carry the id')
      expect(await store.listConnections({ limit: 10 })).toEqual([stored])
    })

    it('starts again with epoch 1 after a removal', async () => {
      const store = await open()
      await connect(store)
      await store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } }))
      await store.removeConnection('pinterest', 'alice')
      expect(await connect(store, { id: 'c9' })).toMatchObject({ id: 'c9', grantEpoch: 1, counter: 1 })
    })
  })

  describe('saveGrant() and the consent that brought it', () => {
    async function openWithConsent() {
      const store = await open()
      await store.createConsent(sampleConsent())
      await store.holdConsent('k1', sampleHold())
      await store.takeHeldConsent('k1', t0 + 200_000)
      return store
    }
    const completed = { state: 'COMPLETED', receiptHash: undefined, sealedCode: undefined }
    const outcome = { state: 'COMPLETED', finishedAt: t0 + 300_000 } as const

    it.each([
      ['HELD', t0],
      ['EXPIRED meanwhile', t0 + 200_000],
    ])('completes it in the same transaction if it is %s', async (_, now) => {
      const store = await openWithConsent()
      await store.expireHeldConsents(now)
      await store.saveGrant(sampleGrant(), undefined, { id: 'k1', outcome })
      expect(await store.findConsent('k1')).toEqual({
        ...sampleConsent(),
        ...completed,
        expiresAt: t0 + 200_000,
        finishedAt: t0 + 300_000,
      })
      expect(await store.expireHeldConsents(t0 + 900_000)).toEqual([])
      await store.finishConsent('k1', { ...outcome, state: 'FAILED' })
      expect(await store.findConsent('k1')).toMatchObject(outcome)
    })

    it('leaves it as it is if the grant is not stored, and every other one', async () => {
      const store = await openWithConsent()
      const stale = sampleGrant({ expected: { id: 'c1', grantEpoch: 7 } })
      await store.saveGrant(stale, undefined, { id: 'k1', outcome })
      await store.saveGrant(sampleGrant(), undefined, { id: 'unknown', outcome })
      await store.saveGrant(sampleGrant({ id: 'c2', account: 'bob' }))
      expect((await store.findConsent('k1'))?.state).toBe('HELD')
    })
  })

  describe('saveGrant() and waiting revocations', () => {
    const others = [
      ['of another provider account', { providerAccountId: 'p-bob' }],
      ['of another client', { clientFingerprint: 'client-2' }],
      ['of another server', { tokenOrigin: 'https://api.other.example' }],
      ['of another provider, its provider account unknown', { provider: 'square', providerAccountId: '' }],
      ['of another account, its provider account unknown', { account: 'bob', providerAccountId: '' }],
    ] as const
    const own = [
      ['of the same provider account', { account: 'bob' }],
      ['of the same provider account, by another provider id', { provider: 'pinterest-eu' }],
      ['of the same account, its provider account unknown', { providerAccountId: '' }],
    ] as const

    async function waitingAfterGrant(revocation: object, grant: object): Promise<number> {
      const store = await open()
      await connect(store, { id: 'c0', provider: 'x', account: 'x' })
      await store.removeConnection('x', 'x', () => ({ revocations: [sampleRevocation(revocation)] }))
      await store.saveGrant(sampleGrant(grant))
      return (await store.listDueRevocations(t0 + 1_000, 10)).length
    }

    it.each(own)('cancels one %s', async (_, revocation) => {
      expect(await waitingAfterGrant(revocation, { cancelRevocations: true })).toBe(0)
    })
    it.each(own)('keeps one %s if told so', async (_, revocation) => {
      expect(await waitingAfterGrant(revocation, { cancelRevocations: false })).toBe(1)
    })
    it.each(others)('keeps one %s', async (_, revocation) => {
      expect(await waitingAfterGrant(revocation, { cancelRevocations: true })).toBe(1)
    })
    it('cancels one of the same account if the grant does not know its provider account', async () => {
      const grant = { cancelRevocations: true, providerAccountId: '' }
      expect(await waitingAfterGrant({}, grant)).toBe(0)
      expect(await waitingAfterGrant({ account: 'bob' }, grant)).toBe(1)
    })
    it('cancels nothing if the grant is not accepted', async () => {
      const grant = { cancelRevocations: true, expected: { id: 'c1', grantEpoch: 1 } }
      expect(await waitingAfterGrant({}, grant)).toBe(1)
    })
  })

  describe('removeConnection()', () => {
    it('of nothing does nothing, and files no revocation', async () => {
      const store = await open()
      await connect(store, { account: 'bob' })
      expect(
        await store.removeConnection('pinterest', 'alice', () => ({ revocations: [sampleRevocation()] })),
      ).toBeUndefined()
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([])
      expect(await store.listConnections({ limit: 10 })).toHaveLength(1)
    })

    it('gives the removed row and files its revocation', async () => {
      const store = await open()
      const stored = await connect(store)
      expect(
        await store.removeConnection('pinterest', 'alice', () => ({ revocations: [sampleRevocation()] })),
      ).toEqual(stored)
      expect(await store.findConnection('pinterest', 'alice')).toBeUndefined()
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([sampleRevocation()])
      expect(await store.removeConnection('pinterest', 'alice')).toBeUndefined()
    })

    it('files as many as there are, or none', async () => {
      const store = await open()
      const stored = await connect(store)
      const both = [sampleRevocation(), sampleRevocation({ id: 'r2', sealedAccessToken: undefined })]
      await expect(
        store.removeConnection('pinterest', 'alice', () => ({ revocations: [...both, ...both] })),
      ).rejects.toThrow()
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([])
      expect(await store.removeConnection('pinterest', 'alice', () => ({ revocations: both }))).toEqual(
        stored,
      )
      expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual(both)
    })

    it('keeps the connection if the revocation cannot be filed', async () => {
      const store = await open()
      await connect(store, { account: 'bob' })
      await store.removeConnection('pinterest', 'bob', () => ({ revocations: [sampleRevocation()] }))
      const stored = await connect(store, { id: 'c2', sealedAccessToken: bytes('kept') })
      // An id that is used twice is a mistake of the program; it must not cost the tokens.
      await expect(
        store.removeConnection('pinterest', 'alice', () => ({ revocations: [sampleRevocation()] })),
      ).rejects.toThrow()
      expect(await store.findConnection('pinterest', 'alice')).toEqual(stored)
    })
  })
}
