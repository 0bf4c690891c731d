import { describe, expect, it } from 'vitest'
import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  connect,
  movedBases,
  sampleAttempt,
  sampleFailure,
  sampleGrant,
  sampleSuccess,
  t0,
} from './samples.ts'

/** What is due, and who is at work on it. */
export function leaseContract(open: OpenStore): void {
  describe('listDueConnections()', () => {
    const query = { provider: 'pinterest', before: t0, limit: 10, outcomeUnknown: false }
    const idsOf = (rows: readonly ConnectionRow[]) => rows.map(({ id }) => id)

    async function openFilled() {
      const store = await open()
      await connect(store, { id: 'late', account: '1', nextRefreshAt: t0 + 1 })
      await connect(store, { id: 'now', account: '2', nextRefreshAt: t0 })
      await connect(store, { id: 'overdue', account: '3', nextRefreshAt: t0 - 1 })
      await connect(store, { id: 'never', account: '4', nextRefreshAt: undefined })
      await connect(store, { id: 'other', provider: 'square', nextRefreshAt: t0 - 2 })
      return store
    }

    /** Makes the outcome of the account's last attempt unknown. */
    async function forgetOutcome(store: Store, account: string, nextRefreshAt: number): Promise<void> {
      const row = await store.findConnection('pinterest', account)
      if (row === undefined) throw new Error('missing')
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure({ outcomeUnknown: true, nextRefreshAt }))
    }

    it('has what is due to the millisecond of one provider, the most overdue first', async () => {
      const store = await openFilled()
      expect(idsOf(await store.listDueConnections(query))).toEqual(['overdue', 'now'])
      expect(idsOf(await store.listDueConnections({ ...query, limit: 1 }))).toEqual(['overdue'])
      expect(idsOf(await store.listDueConnections({ ...query, provider: 'square' }))).toEqual(['other'])
      expect(await store.listDueConnections({ ...query, provider: 'none' })).toEqual([])
      await expect(store.listDueConnections({ ...query, limit: 0 })).rejects.toThrow('limit')
    })

    it('keeps unknown outcomes apart', async () => {
      const store = await openFilled()
      await forgetOutcome(store, '1', t0 - 5)
      await forgetOutcome(store, '2', t0 - 9)
      await forgetOutcome(store, '4', t0 + 1)
      const unknown = { ...query, outcomeUnknown: true }
      expect(idsOf(await store.listDueConnections(unknown))).toEqual(['now', 'late'])
      expect(idsOf(await store.listDueConnections({ ...unknown, limit: 1 }))).toEqual(['now'])
      expect(await store.listDueConnections({ ...unknown, provider: 'square' })).toEqual([])
      expect(idsOf(await store.listDueConnections(query))).toEqual(['overdue'])
    })

    it('has what is being refreshed, among the unknown', async () => {
      const store = await open()
      const row = await connect(store, { nextRefreshAt: t0 })
      await store.beginAttempt(sampleAttempt(row))
      expect(await store.listDueConnections(query)).toEqual([])
      expect(idsOf(await store.listDueConnections({ ...query, outcomeUnknown: true }))).toEqual(['c1'])
      await store.commitRefresh(baseOf(row), sampleSuccess({ nextRefreshAt: t0 }))
      expect(idsOf(await store.listDueConnections(query))).toEqual(['c1'])
    })
  })

  describe('extendLease()', () => {
    async function openAttempted() {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      const found = () => store.findConnection('pinterest', 'alice')
      return { store, row, begun: await found(), found }
    }

    it('prolongs the lease and nothing else', async () => {
      const { store, row, begun, found } = await openAttempted()
      expect(await store.extendLease(baseOf(row), 'a1', t0 + 90_000)).toBe(true)
      expect(await found()).toEqual({ ...begun, leaseUntil: t0 + 90_000 })
      const other = { attemptId: 'a2', leaseOwner: 'broker-2', now: t0 + 89_999 }
      expect(await store.beginAttempt(sampleAttempt(row, other))).toBe(false)
    })

    it('changes nothing if the base has moved', async () => {
      const { store, row, begun, found } = await openAttempted()
      for (const [name, base] of movedBases(row)) {
        expect(await store.extendLease(base, 'a1', t0 + 90_000), name).toBe(false)
      }
      expect(await found()).toEqual(begun)
    })

    it.each([
      ['another attempt has begun', 'a0'],
      ['no attempt is named', ''],
    ])('changes nothing if %s', async (_, attemptId) => {
      const { store, row, begun, found } = await openAttempted()
      expect(await store.extendLease(baseOf(row), attemptId, t0 + 90_000)).toBe(false)
      expect(await found()).toEqual(begun)
    })

    it('changes nothing once another holds the lease, or the attempt has ended', async () => {
      const { store, row, found } = await openAttempted()
      const other = { attemptId: 'a2', leaseOwner: 'broker-2', now: t0 + 20_000, leaseUntil: t0 + 30_000 }
      await store.beginAttempt(sampleAttempt(row, other))
      expect(await store.extendLease(baseOf(row), 'a1', t0 + 90_000)).toBe(false)
      await store.failRefresh(baseOf(row), sampleFailure({ attemptId: 'a2' }))
      const ended = await found()
      expect(await store.extendLease(baseOf(row), 'a2', t0 + 90_000)).toBe(false)
      expect(await found()).toEqual(ended)
    })

    it('of a removed connection changes nothing', async () => {
      const { store, row } = await openAttempted()
      await store.removeConnection('pinterest', 'alice')
      expect(await store.extendLease(baseOf(row), 'a1', t0 + 90_000)).toBe(false)
    })
  })

  describe('adoptAttempts()', () => {
    const now = t0 + 50_000
    const ended = { attemptId: undefined, attemptStartedAt: undefined, leaseOwner: undefined }

    /** Connections named after the end of their lease, seen from `now`, and one that nobody works on. */
    async function openLeased() {
      const store = await open()
      for (const [id, leaseUntil] of [
        ['over', now - 1],
        ['ends', now],
        ['runs', now + 1],
      ] as const) {
        const row = await connect(store, { id, account: id })
        await store.beginAttempt(sampleAttempt(row, { attemptId: id, leaseUntil }))
      }
      await connect(store, { id: 'idle', account: 'idle' })
      const attempted = async () => {
        const rows = await store.listConnections({ limit: 10 })
        return rows.filter(({ attemptId }) => attemptId !== undefined).map(({ id }) => id)
      }
      return { store, attempted }
    }

    it('ends every attempt', async () => {
      const { store, attempted } = await openLeased()
      expect(await store.adoptAttempts({ now, leases: 'all' })).toBe(3)
      expect(await attempted()).toEqual([])
      expect(await store.adoptAttempts({ now, leases: 'all' })).toBe(0)
    })

    it('ends those whose lease is over, to the millisecond', async () => {
      const { store, attempted } = await openLeased()
      expect(await store.adoptAttempts({ now, leases: 'expired' })).toBe(2)
      expect(await attempted()).toEqual(['runs'])
    })

    it('leaves the outcome unknown and the connection due, and touches no other', async () => {
      const { store } = await openLeased()
      const [idle, before] = await Promise.all(
        ['idle', 'over'].map(account => store.findConnection('pinterest', account)),
      )
      await store.adoptAttempts({ now, leases: 'expired' })
      expect(await store.findConnection('pinterest', 'idle')).toEqual(idle)
      expect(await store.findConnection('pinterest', 'over')).toEqual({
        ...before,
        ...ended,
        leaseUntil: undefined,
        nextRefreshAt: now,
      })
      const due = { provider: 'pinterest', before: now, limit: 10, outcomeUnknown: true }
      expect((await store.listDueConnections(due)).map(({ id }) => id)).toEqual(['ends', 'over'])
    })

    it('makes a connection due that was not', async () => {
      const store = await open()
      const row = await connect(store, { nextRefreshAt: undefined })
      await store.beginAttempt(sampleAttempt(row))
      await store.adoptAttempts({ now, leases: 'all' })
      expect(await store.findConnection('pinterest', 'alice')).toMatchObject({ nextRefreshAt: now })
    })

    it('lets the late success of an adopted attempt in, and not its failure', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.adoptAttempts({ now, leases: 'all' })
      expect(await store.failRefresh(baseOf(row), sampleFailure())).toBeUndefined()
      expect(await store.extendLease(baseOf(row), 'a1', now + 1)).toBe(false)
      expect(await store.commitRefresh(baseOf(row), sampleSuccess())).toMatchObject({ version: 'v2' })
    })

    it('lets another owner begin at once', async () => {
      const store = await open()
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.adoptAttempts({ now: t0 + 6_000, leases: 'all' })
      const other = sampleAttempt(row, { attemptId: 'a2', leaseOwner: 'broker-2', now: t0 + 6_000 })
      expect(await store.beginAttempt(other)).toBe(true)
      expect(await store.findConnection('pinterest', 'alice')).toMatchObject({
        leaseEpoch: 2,
        outcomeUnknownSince: t0 + 5_000,
      })
    })

    it('of an empty store, and after a new grant, does nothing', async () => {
      const store = await open()
      expect(await store.adoptAttempts({ now, leases: 'all' })).toBe(0)
      const row = await connect(store)
      await store.beginAttempt(sampleAttempt(row))
      await store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } }))
      expect(await store.adoptAttempts({ now, leases: 'all' })).toBe(0)
    })
  })
}
