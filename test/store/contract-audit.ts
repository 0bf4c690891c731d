import { describe, expect, it } from 'vitest'
import type { AuditQuery } from '../../src/store/record-rows.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenStore } from './contract.ts'
import {
  baseOf,
  bytes,
  connect,
  sampleAttempt,
  sampleConsent,
  sampleEntry,
  sampleFailure,
  sampleGrant,
  sampleRelease,
  sampleRevocation,
  sampleSuccess,
  t0,
} from './samples.ts'

async function list(store: Store, query: Partial<AuditQuery> = {}): Promise<string[]> {
  const { rows } = await store.listAuditRecords({ oldestFirst: true, limit: 100, ...query })
  return rows.map(({ event }) => event)
}

/** The audit, and the entries that go with changes. */
export function auditContract(open: OpenStore): void {
  describe('addAuditRecords()', () => {
    it('keeps a record as it is, in sequence', async () => {
      const store = await open()
      await store.addAuditRecords([sampleEntry(), sampleEntry({ time: t0 - 1, details: {} })])
      expect(await store.listAuditRecordsAfter(0, 10)).toEqual([
        { sequence: 1, ...sampleEntry() },
        { sequence: 2, ...sampleEntry({ time: t0 - 1, details: {} }) },
      ])
      expect(await store.listAuditRecordsAfter(1, 1)).toMatchObject([{ sequence: 2 }])
    })

    it('adds all of a batch or nothing', async () => {
      const store = await open()
      await expect(store.addAuditRecords([sampleEntry(), sampleEntry({ count: -1 })])).rejects.toThrow()
      expect(await list(store)).toEqual([])
    })

    it('never uses a sequence twice', async () => {
      const store = await open()
      await store.addAuditRecords([sampleEntry()])
      await store.pruneAudit(t0 + 1, 10)
      await store.addAuditRecords([sampleEntry({ time: t0 + 5 })])
      expect(await store.listAuditRecordsAfter(0, 10)).toMatchObject([{ sequence: 2 }])
    })
  })

  describe('an entry that is given with a change', () => {
    it('is added with it', async () => {
      const store = await open()
      const row = await store.saveGrant(sampleGrant(), sampleEntry({ event: 'grant' }))
      if (row === undefined) throw new Error('not stored')
      await store.beginAttempt(sampleAttempt(row))
      await store.failRefresh(baseOf(row), sampleFailure(), sampleEntry({ event: 'failure' }))
      await store.commitRefresh(baseOf(row), sampleSuccess(), sampleEntry({ event: 'success' }))
      await store.createConsent(sampleConsent(), sampleEntry({ event: 'link' }))
      const outcome = { state: 'EXPIRED', finishedAt: t0 } as const
      await store.finishConsent('k1', outcome, sampleEntry({ event: 'end' }))
      await store.removeConnection('pinterest', 'alice', () => ({
        revocations: [],
        entry: sampleEntry({ event: 'removal' }),
      }))
      expect(await list(store)).toEqual(['grant', 'failure', 'success', 'link', 'end', 'removal'])
    })

    it('is added with a grant that ends its consent, in one', async () => {
      const store = await open()
      await store.createConsent(sampleConsent())
      const consent = {
        id: 'k1',
        outcome: { state: 'COMPLETED', finishedAt: t0 + 1 },
        entry: sampleEntry({ event: 'end' }),
      } as const
      const grant = sampleGrant()
      const row = await store.saveGrant(grant, sampleEntry({ event: 'grant' }), consent)
      if (row === undefined) throw new Error('not stored')
      expect(await store.findConsent('k1')).toMatchObject({ state: 'COMPLETED', finishedAt: t0 + 1 })
      await store.createConsent(sampleConsent({ id: 'k2', linkHash: 'other' }))
      expect(await store.saveGrant(grant, sampleEntry(), { ...consent, id: 'k2' })).toBeUndefined()
      expect((await store.findConsent('k2'))?.state).toBe('PENDING')
      const facts = { providerAccountId: 'p-new' }
      await store.enrichConnection(baseOf(row), facts, sampleEntry({ event: 'facts' }))
      await store.enrichConnection({ ...baseOf(row), counter: 99 }, facts, sampleEntry())
      expect(await list(store)).toEqual(['grant', 'end', 'facts'])
    })

    it('is made for each held consent whose time is over, and for an accepted copy', async () => {
      const store = await open()
      for (const id of ['k1', 'k2', 'k3']) {
        await store.createConsent(sampleConsent({ id, linkHash: id }))
        const expiresAt = id === 'k3' ? t0 + 2 : t0 + 1
        await store.holdConsent(id, { expiresAt, receiptHash: id, sealedCode: bytes('code') })
      }
      await store.expireHeldConsents(t0 + 1, ({ id, state }) => sampleEntry({ event: `${id} ${state}` }))
      const entryOf = (count: number) => sampleEntry({ event: `restored ${count}` })
      await store.beginRestoreCheck({ now: t0, exempt: [], everyMs: 200, entryOf })
      expect((await list(store)).toSorted()).toEqual(['k1 EXPIRED', 'k2 EXPIRED', 'restored 0'])
    })

    it('is added with the end of a revocation, once', async () => {
      const store = await open()
      await store.addRevocation(sampleRevocation())
      for (const id of ['none', 'r1', 'r1']) await store.removeRevocation(id, sampleEntry({ event: id }))
      expect(await list(store)).toEqual(['r1'])
    })

    it('is added with a change of keys, and not without one', async () => {
      const store = await open()
      const key = {
        purpose: 'seal',
        wrappedSeed: bytes('seed'),
        rootFingerprint: 'f',
        createdAt: t0,
      } as const
      await store.insertKey({ ...key, kid: 'old', state: 'primary' })
      await store.insertKey({ ...key, kid: 'new', state: 'pending' })
      await store.promoteKey('old', sampleEntry())
      await store.promoteKey('new', sampleEntry({ event: 'promoted' }))
      await store.retireKey('new', t0, sampleEntry())
      await store.retireKey('old', t0, sampleEntry({ event: 'retired' }))
      const keys = ['old', 'new'].map(kid => ({
        kid,
        wrappedSeed: bytes('other'),
        rootFingerprint: 'g',
        previous: key.wrappedSeed,
      }))
      await store.rewrapKeys(keys.slice(1), sampleEntry())
      await store.rewrapKeys(keys, sampleEntry({ event: 'rewrapped' }))
      expect(await list(store)).toEqual(['promoted', 'retired', 'rewrapped'])
    })

    it('is not added if nothing changes', async () => {
      const store = await open()
      const row = await connect(store)
      const entry = sampleEntry()
      await store.saveGrant(sampleGrant({ id: 'c2' }), entry)
      await store.failRefresh(baseOf(row), sampleFailure(), entry)
      await store.commitRefresh({ ...baseOf(row), counter: 99 }, sampleSuccess(), entry)
      await store.createConsent(sampleConsent())
      await expect(store.createConsent(sampleConsent(), entry)).rejects.toThrow()
      await store.finishConsent('k1', { state: 'EXPIRED', finishedAt: t0 })
      await store.finishConsent('k1', { state: 'EXPIRED', finishedAt: t0 }, entry)
      await store.removeConnection('pinterest', 'nobody', () => ({ revocations: [], entry }))
      expect(await list(store)).toEqual([])
    })

    it('is added with a first release, and with no repeat', async () => {
      const store = await open()
      const entry = sampleEntry({ event: 'TOKEN_RELEASED' })
      await store.recordReleases([sampleRelease({ entry }), sampleRelease({ entry, count: 2 })])
      await store.recordReleases([sampleRelease({ entry, count: 5 })])
      await store.recordReleases([sampleRelease({ entry, caller: 'other' })])
      expect(await list(store)).toEqual(['TOKEN_RELEASED', 'TOKEN_RELEASED'])
      expect(await store.listReleases({ limit: 10 })).toHaveLength(2)
    })
  })

  describe('listAuditRecords()', () => {
    it('goes by time, then sequence, in either direction, page by page', async () => {
      const store = await open()
      const at = (event: string, time: number) => sampleEntry({ event, time })
      await store.addAuditRecords([at('b', t0), at('c', t0), at('a', t0 - 5), at('d', t0 + 5)])
      for (const oldestFirst of [true, false]) {
        const seen: string[] = []
        let after: AuditQuery['after']
        do {
          const page = await store.listAuditRecords({ oldestFirst, after, limit: 1 })
          seen.push(...page.rows.map(({ event }) => event))
          after = page.next
        } while (after !== undefined)
        expect(seen.join('')).toBe(oldestFirst ? 'abcd' : 'dcba')
      }
    })

    it.each<[string, Partial<AuditQuery>, string[]]>([
      ['from a time on', { from: t0 }, ['b', 'c']],
      ['before a time', { until: t0 }, ['a']],
      ['of a caller', { caller: 'other' }, ['b']],
      ['of a provider', { provider: 'square' }, ['c']],
      ['of an account', { account: '' }, ['c']],
      ['of an event', { event: 'a' }, ['a']],
      ['of nothing that is there', { event: 'a', caller: 'other' }, []],
    ])('lists those %s', async (_, query, expected) => {
      const store = await open()
      await store.addAuditRecords([
        sampleEntry({ event: 'a', time: t0 - 1 }),
        sampleEntry({ event: 'b', caller: 'other', provider: '', account: '' }),
        sampleEntry({ event: 'c', time: t0 + 1, provider: 'square', account: '' }),
      ])
      expect(await list(store, query)).toEqual(expected)
    })

    it('looks at a bounded number of records, and goes on where it stopped', async () => {
      const store = await open()
      const many = Array.from({ length: 5_001 }, (_, index) => sampleEntry({ time: t0 + index }))
      await store.addAuditRecords([...many, sampleEntry({ event: 'needle', time: t0 + 9_000 })])
      const query = { oldestFirst: true, event: 'needle', limit: 10 }
      const first = await store.listAuditRecords(query)
      expect(first.rows).toEqual([])
      const second = await store.listAuditRecords({ ...query, after: first.next })
      expect(second).toMatchObject({ rows: [{ event: 'needle' }] })
      expect(second.next).toBeUndefined()
      await expect(store.listAuditRecords({ ...query, limit: 0 })).rejects.toThrow('limit')
    })
  })

  describe('noteCopiedAuditSequence()', () => {
    it('is 0 before the first', async () => {
      const store = await open()
      expect(await store.copiedAuditSequence()).toBe(0)
      for (const sequence of [5, 7]) {
        await store.noteCopiedAuditSequence(sequence)
        expect(await store.copiedAuditSequence()).toBe(sequence)
      }
    })
  })

  describe('pruneAudit()', () => {
    it('removes what is older, the oldest first, so many at once', async () => {
      const store = await open()
      const at = (time: number) => sampleEntry({ event: String(time - t0), time })
      await store.addAuditRecords([at(t0), at(t0 - 2), at(t0 - 1), at(t0 - 3)])
      await store.recordReleases([
        sampleRelease({ at: t0 - 2 }),
        sampleRelease({ version: 'v2', at: t0 - 3 }),
        sampleRelease({ version: 'v3', at: t0 }),
      ])
      expect(await store.pruneAudit(t0, 1)).toBe(2)
      expect(await list(store)).toEqual(['-2', '-1', '0'])
      expect(await store.pruneAudit(t0, 10)).toBe(3)
      expect(await store.pruneAudit(t0, 10)).toBe(0)
      expect(await list(store)).toEqual(['0'])
      expect((await store.listReleases({ limit: 10 })).map(({ version }) => version)).toEqual(['v3'])
    })
  })

  describe('listReleases()', () => {
    it('finds a token by its fingerprint, whatever its version', async () => {
      const store = await open()
      await store.recordReleases([
        sampleRelease({ fingerprint: 'a', caller: 'one' }),
        sampleRelease({ fingerprint: 'a', caller: 'two', at: t0 + 1 }),
        sampleRelease({ fingerprint: 'b', caller: 'three', version: 'v2' }),
      ])
      const found = await store.listReleases({ fingerprint: 'a', limit: 10 })
      expect(found.map(({ caller }) => caller)).toEqual(['two', 'one'])
    })

    it('passes over what may not be seen, however much newer it is', async () => {
      const store = await open()
      await store.recordReleases([
        sampleRelease({ caller: 'seen', provider: 'ours' }),
        ...Array.from({ length: 5 }, (_, nth) =>
          sampleRelease({ caller: `hidden ${nth}`, at: t0 + 1 + nth }),
        ),
      ])
      const visible = ({ provider }: { provider: string }) => provider === 'ours'
      const found = await store.listReleases({ visible, limit: 5 })
      expect(found.map(({ caller }) => caller)).toEqual(['seen'])
    })
  })
}
