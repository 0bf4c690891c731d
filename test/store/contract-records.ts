import { describe, expect, it } from 'vitest'
import type { KeyRow } from '../../src/store/record-rows.ts'
import type { OpenStore } from './contract.ts'
import { bytes, connect, sampleConsent, sampleRelease, sampleRevocation, sampleStart, t0 } from './samples.ts'

function sampleKey(changes: Partial<KeyRow> = {}): KeyRow {
  return {
    kid: '00112233445566aa',
    purpose: 'seal',
    wrappedSeed: bytes('wrapped'),
    rootFingerprint: '0123456789abcdef',
    state: 'primary',
    createdAt: t0,
    ...changes,
  }
}

/** The keyset, the releases and the clock mark. */
export function recordContract(open: OpenStore): void {
  describe('insertKey()', () => {
    it('keeps keys, the oldest first', async () => {
      const store = await open()
      expect(await store.listKeys()).toEqual([])
      const older = sampleKey({ kid: 'ff', purpose: 'fingerprint', state: 'active', createdAt: t0 - 1 })
      await store.insertKey(sampleKey())
      await store.insertKey(older)
      expect(await store.listKeys()).toEqual([older, sampleKey()])
    })

    it.each([
      ['a key id that is taken', sampleKey({ state: 'active' })],
      ['a second primary', sampleKey({ kid: 'ff' })],
    ])('refuses %s', async (_, second) => {
      const store = await open()
      await store.insertKey(sampleKey())
      await expect(store.insertKey(second)).rejects.toThrow()
      expect(await store.listKeys()).toEqual([sampleKey()])
    })

    it('refuses a second fingerprint key, which would rename all tokens', async () => {
      const store = await open()
      await store.insertKey(sampleKey({ purpose: 'fingerprint', state: 'active' }))
      const second = sampleKey({ kid: 'ff', purpose: 'fingerprint', state: 'active' })
      await expect(store.insertKey(second)).rejects.toThrow()
    })
  })

  describe('hasSealedData()', () => {
    it('sees connections, revocations and verifiers, and nothing else', async () => {
      const store = await open()
      await store.insertKey(sampleKey())
      await store.createConsent(sampleConsent())
      await store.recordReleases([sampleRelease()])
      expect(await store.hasSealedData()).toBe(false)
      await store.startConsent('link-1', sampleStart())
      expect(await store.hasSealedData()).toBe(true)
      await store.finishConsent('k1', { state: 'EXPIRED', finishedAt: t0 })
      expect(await store.hasSealedData()).toBe(false)
      await connect(store)
      expect(await store.hasSealedData()).toBe(true)
      await store.removeConnection('pinterest', 'alice', () => ({ revocations: [sampleRevocation()] }))
      expect(await store.hasSealedData()).toBe(true)
      await store.removeRevocation('r1')
      expect(await store.hasSealedData()).toBe(false)
    })
  })

  describe('recordReleases()', () => {
    it('keeps a first release', async () => {
      const store = await open()
      await store.recordReleases([sampleRelease({ count: 3 })])
      const { at, ...release } = sampleRelease({ count: 3 })
      expect(await store.listReleases({ limit: 10 })).toEqual([{ ...release, firstAt: at, lastAt: at }])
    })

    it('adds repeats to the count, in whatever order they come', async () => {
      const store = await open()
      await store.recordReleases([sampleRelease(), sampleRelease({ at: t0 + 5, count: 2 })])
      await store.recordReleases([sampleRelease({ at: t0 - 5, count: 4 }), sampleRelease({ at: t0 + 1 })])
      expect(await store.listReleases({ limit: 10 })).toMatchObject([
        { count: 8, firstAt: t0 - 5, lastAt: t0 + 5 },
      ])
    })

    it.each([
      ['another caller', { caller: 'billing' }],
      ['another connection', { connectionId: 'c2' }],
      ['another version', { version: 'v2' }],
    ])('keeps %s apart', async (_, other) => {
      const store = await open()
      await store.recordReleases([sampleRelease(), sampleRelease(other)])
      expect(await store.listReleases({ limit: 10 })).toHaveLength(2)
    })

    it('keeps all of a batch or nothing', async () => {
      const store = await open()
      const batch = [sampleRelease(), sampleRelease({ version: 'v2', count: 0 })]
      await expect(store.recordReleases(batch)).rejects.toThrow()
      expect(await store.listReleases({ limit: 10 })).toEqual([])
      await store.recordReleases([])
    })
  })

  describe('listReleases()', () => {
    it('has the newest first, up to the limit, of one version or of all', async () => {
      const store = await open()
      await store.recordReleases([
        sampleRelease({ caller: 'a', version: 'v1', at: t0 + 1 }),
        sampleRelease({ caller: 'b', version: 'v2', at: t0 + 3 }),
        sampleRelease({ caller: 'c', version: 'v1', at: t0 + 2 }),
      ])
      const callers = async (query: { version?: string; limit: number }) =>
        (await store.listReleases(query)).map(({ caller }) => caller)
      expect(await callers({ limit: 10 })).toEqual(['b', 'c', 'a'])
      expect(await callers({ limit: 2 })).toEqual(['b', 'c'])
      expect(await callers({ version: 'v1', limit: 10 })).toEqual(['c', 'a'])
      expect(await callers({ version: 'v3', limit: 10 })).toEqual([])
      await expect(callers({ limit: 0 })).rejects.toThrow('limit')
    })
  })

  describe('setClockMark()', () => {
    it('notes a time that is lower than what was noted', async () => {
      const store = await open()
      await store.raiseClockMark(t0 + 10)
      await store.setClockMark(t0)
      expect(await store.clockMark()).toBe(t0)
    })
  })

  describe('raiseClockMark()', () => {
    it('notes the highest time ever, and none before the first', async () => {
      const store = await open()
      expect(await store.clockMark()).toBeUndefined()
      const marks: [now: number, mark: number][] = [
        [t0, t0],
        [t0 - 1, t0],
        [t0, t0],
        [t0 + 1, t0 + 1],
        [0, t0 + 1],
      ]
      for (const [now, mark] of marks) {
        await store.raiseClockMark(now)
        expect(await store.clockMark()).toBe(mark)
      }
    })
  })
}
