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

export function refreshContract(open: OpenStore): void {
  describe('commitRefresh()', () => {
    it('stores the new tokens and ends attempt, lease and failures', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ outcomeUnknown: true }))
      await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', failures: 1 }))
      const outcome = sampleSuccess()
      const { now, ...facts } = outcome
      const expected = {
        ...row,
        ...facts,
        counter: 2,
        leaseEpoch: 2,
        lastRefreshAt: now,
        attributes: { realm_id: '7', instance: 'eu' },
      }
      expect(await store.commitRefresh(baseOf(row), outcome)).toEqual(expected)
      expect(await store.findConnection('pinterest', 'alice')).toEqual(expected)
      expect(await store.adoptAttempts({ now: t0, leases: 'all' })).toBe(0)
    })

    it('keeps what the answer lacks', async () => {
      const store = await open()
      const row = await connect(store)
      const outcome = sampleSuccess({
        sealedRefreshToken: undefined,
        refreshExpiresAt: undefined,
        grantExpiresAt: undefined,
        grantedScopes: undefined,
        providerAccountId: '',
        providerAccountName: '',
        attributes: {},
      })
      expect(await store.commitRefresh(baseOf(row), outcome)).toMatchObject({
        sealedAccessToken: bytes('access-2'),
        sealedRefreshToken: bytes('refresh-1'),
        refreshExpiresAt: row.refreshExpiresAt,
        grantExpiresAt: row.grantExpiresAt,
        grantedScopes: ['ads:read'],
        providerAccountId: 'p-alice',
        providerAccountName: 'Alice',
        attributes: { realm_id: '7' },
      })
    })

    it("does not carry over the old token's expiry, client secret and schedule", async () => {
      const store = await open()
      const row = await connect(store)
      const outcome = sampleSuccess({
        clientSecretFingerprint: undefined,
        expiresAt: undefined,
        expiry: 'UNKNOWN',
        nextRefreshAt: undefined,
      })
      const committed = await store.commitRefresh(baseOf(row), outcome)
      expect(committed?.clientSecretFingerprint).toBeUndefined()
      expect(committed?.expiresAt).toBeUndefined()
      expect(committed?.nextRefreshAt).toBeUndefined()
      expect(committed?.expiry).toBe('UNKNOWN')
    })

    it('takes a granted set of no scopes at its word', async () => {
      const store = await open()
      const row = await connect(store)
      const committed = await store.commitRefresh(baseOf(row), sampleSuccess({ grantedScopes: [] }))
      expect(committed?.grantedScopes).toEqual([])
    })

    it('overwrites attributes of the same name', async () => {
      const store = await open()
      const row = await connect(store)
      const outcome = sampleSuccess({ attributes: { realm_id: '8' } })
      expect((await store.commitRefresh(baseOf(row), outcome))?.attributes).toEqual({ realm_id: '8' })
    })

    it('is accepted late, while somebody else has the lease', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const later = { attemptId: 'a2', now: t0 + 30_000, leaseOwner: 'broker-2', leaseUntil: t0 + 50_000 }
      await store.beginAttempt(sampleAttempt(row, later))
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toMatchObject({ version: 'v2' })
      expect(await store.failRefresh(baseOf(row), sampleFailure({ attemptId: 'a2' }))).toBeUndefined()
    })

    it('is accepted after a failure that changed the state, and changes it back', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(
        baseOf(row),
        sampleFailure({ state: 'REAUTH_REQUIRED', stateReason: 'refused' }),
      )
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toMatchObject({
        state: 'ACTIVE',
        stateReason: '',
        stateSince: t0 + 10_000,
      })
    })

    it('changes nothing if the base has moved', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.commitRefresh(base, sampleSuccess()), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
    })

    it('of the same base is accepted once', async () => {
      const store = await open()
      const row = await connect(store)
      const committed = await Promise.all([
        store.commitRefresh(baseOf(row), sampleSuccess({ version: 'left' })),
        store.commitRefresh(baseOf(row), sampleSuccess({ version: 'right' })),
      ])
      expect(committed.filter(stored => stored !== undefined)).toHaveLength(1)
    })

    it('never brings a removed connection back', async () => {
      const store = await open()
      const row = await connect(store)
      await store.removeConnection('pinterest', 'alice')
      await connect(store, { id: 'c2' })
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toBeUndefined()
      expect(await store.listConnections({ limit: 10 })).toMatchObject([{ id: 'c2', version: 'v1' }])
    })
  })

  describe('enrichConnection()', () => {
    it('records what was told and keeps the rest, the counter too', async () => {
      const store = await open()
      const row = await connect(store)
      const facts = {
        providerAccountId: 'p-new',
        providerAccountName: 'New',
        grantedScopes: ['a'],
        expiresAt: t0 + 1,
        expiry: 'ASSUMED',
        nextRefreshAt: t0 + 2,
      } as const
      expect(await store.enrichConnection(baseOf(row), facts)).toEqual({ ...row, ...facts })
      expect(await store.findConnection('pinterest', 'alice')).toEqual({ ...row, ...facts })
    })

    it.each([
      ['absent', {}],
      ['empty', { providerAccountId: '', providerAccountName: '' }],
    ])('keeps what is %s', async (_, facts) => {
      const store = await open()
      const row = await connect(store)
      expect(await store.enrichConnection(baseOf(row), facts)).toEqual(row)
    })

    it('changes nothing if the base has moved', async () => {
      const store = await open()
      const row = await connect(store)
      for (const [name, base] of movedBases(row)) {
        expect(await store.enrichConnection(base, { providerAccountId: 'p-new' }), name).toBeUndefined()
      }
      expect(await store.findConnection('pinterest', 'alice')).toEqual(row)
    })
  })
}
