import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import { bytes, sampleConsent, sampleStart, t0 } from './samples.ts'

const denied = { state: 'DENIED', finishedAt: t0 + 9_000 } as const

export function consentContract(open: OpenStore): void {
  async function openWithConsent(changes = {}) {
    const store = await open()
    await store.createConsent(sampleConsent(changes))
    return store
  }

  describe('createConsent()', () => {
    it('keeps everything', async () => {
      const store = await openWithConsent()
      expect(await store.findConsent('k1')).toEqual(sampleConsent())
      expect(await store.findConsentByLink('link-1')).toEqual(sampleConsent())
    })

    it('keeps the optional fields too', async () => {
      const { now, ...started } = sampleStart()
      const whole = sampleConsent({
        ...started,
        state: 'HELD',
        startedAt: now,
        finishedAt: t0 + 3,
        errorReason: 'r',
        errorMessage: 'm',
        errorProviderCode: 'c',
        allowAccountChange: false,
      })
      const store = await openWithConsent(whole)
      expect(await store.findConsent('k1')).toEqual(whole)
    })

    it('refuses an id or a link that was used before', async () => {
      const store = await openWithConsent()
      await expect(store.createConsent(sampleConsent({ linkHash: 'link-2' }))).rejects.toThrow()
      await expect(store.createConsent(sampleConsent({ id: 'k2' }))).rejects.toThrow()
    })
  })

  describe('findConsent()', () => {
    it('of an unknown id or link finds nothing', async () => {
      const store = await openWithConsent()
      expect(await store.findConsent('link-1')).toBeUndefined()
      expect(await store.findConsentByLink('k1')).toBeUndefined()
    })
  })

  describe('startConsent()', () => {
    it("uses up the link and keeps the browser's state", async () => {
      const store = await openWithConsent()
      const { now, ...start } = sampleStart()
      const started = { ...sampleConsent(), ...start, startedAt: now }
      expect(await store.startConsent('link-1', sampleStart())).toEqual(started)
      expect(await store.startConsent('link-1', sampleStart({ stateHash: 'state-2' }))).toBeUndefined()
      expect(await store.findConsent('k1')).toEqual(started)
    })

    it('starts without a verifier where the provider takes none', async () => {
      const store = await openWithConsent()
      const started = await store.startConsent('link-1', sampleStart({ sealedVerifier: undefined }))
      expect(started).toMatchObject({ stateHash: 'state-1' })
      expect(started?.sealedVerifier).toBeUndefined()
    })

    it.each([
      ['one millisecond before the expiry', t0 + 599_999, true],
      ['at the expiry', t0 + 600_000, false],
      ['one millisecond after the expiry', t0 + 600_001, false],
    ])('%s', async (_, now, starts) => {
      const store = await openWithConsent()
      expect((await store.startConsent('link-1', sampleStart({ now }))) !== undefined).toBe(starts)
    })

    it('of an unknown link or an ended consent does nothing', async () => {
      const store = await openWithConsent()
      expect(await store.startConsent('link-2', sampleStart())).toBeUndefined()
      await store.finishConsent('k1', denied)
      expect(await store.startConsent('link-1', sampleStart())).toBeUndefined()
    })

    it('lets one of two browsers start', async () => {
      const store = await openWithConsent()
      const started = await Promise.all([
        store.startConsent('link-1', sampleStart()),
        store.startConsent('link-1', sampleStart({ stateHash: 'state-2' })),
      ])
      expect(started.filter(consent => consent !== undefined)).toHaveLength(1)
    })
  })

  describe('takeConsentByState()', () => {
    it('can be done once', async () => {
      const store = await openWithConsent()
      const started = await store.startConsent('link-1', sampleStart())
      const taken = await store.takeConsentByState('state-1')
      expect(taken).toEqual({ ...started, stateHash: undefined })
      expect(taken?.sealedVerifier).toEqual(bytes('verifier-1'))
      expect(await store.takeConsentByState('state-1')).toBeUndefined()
    })

    it('does not judge the expiry', async () => {
      const store = await openWithConsent()
      await store.startConsent('link-1', sampleStart({ expiresAt: t0 + 1_001 }))
      expect(await store.takeConsentByState('state-1')).toMatchObject({ id: 'k1', expiresAt: t0 + 1_001 })
    })

    it('of an unknown state or an ended consent finds nothing', async () => {
      const store = await openWithConsent()
      await store.startConsent('link-1', sampleStart())
      expect(await store.takeConsentByState('state-2')).toBeUndefined()
      await store.finishConsent('k1', denied)
      expect(await store.takeConsentByState('state-1')).toBeUndefined()
    })
  })

  describe('finishConsent()', () => {
    it.each(['PENDING', 'HELD'] as const)('records the outcome of a %s consent', async state => {
      const { now, ...start } = sampleStart()
      const store = await openWithConsent({ ...start, startedAt: now, state })
      const outcome = {
        state: 'FAILED',
        finishedAt: t0 + 9_000,
        errorReason: 'ACCESS_DENIED',
        errorMessage: 'the user said no',
        errorProviderCode: 'access_denied',
      } as const
      await store.finishConsent('k1', outcome)
      const { sealedVerifier: _verifier, stateHash: _state, ...kept } = start
      expect(await store.findConsent('k1')).toEqual({
        ...sampleConsent(),
        ...kept,
        startedAt: now,
        ...outcome,
      })
    })

    it('keeps the first outcome, and passes over an unknown id', async () => {
      const store = await openWithConsent()
      await store.finishConsent('unknown', denied)
      await store.finishConsent('k1', denied)
      await store.finishConsent('k1', { state: 'COMPLETED', finishedAt: t0 + 10_000 })
      expect(await store.findConsent('k1')).toMatchObject(denied)
    })
  })

  describe('pruneConsents()', () => {
    it('removes what was created before, in whatever state', async () => {
      const store = await openWithConsent({ createdAt: t0 - 1 })
      await store.createConsent(sampleConsent({ id: 'k2', linkHash: 'link-2', createdAt: t0 }))
      await store.createConsent(
        sampleConsent({ id: 'k3', linkHash: 'link-3', createdAt: t0 - 1, state: 'COMPLETED' }),
      )
      await store.pruneConsents(t0)
      const left = await Promise.all(['k1', 'k2', 'k3'].map(id => store.findConsent(id)))
      expect(left.map(consent => consent?.id)).toEqual([undefined, 'k2', undefined])
    })
  })
}
