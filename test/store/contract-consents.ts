import { describe, expect, it } from 'vitest'
import type { OpenStore } from './contract.ts'
import { bytes, sampleConsent, sampleHold, sampleStart, t0 } from './samples.ts'

const denied = { state: 'DENIED', finishedAt: t0 + 9_000 } as const
/** What an ended consent has nothing of, whatever it had. */
const ended = { ...denied, receiptHash: undefined, sealedCode: undefined, expiresAt: t0 + 70_000 }

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
        ...sampleHold(),
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

  describe('holdConsent()', () => {
    it('keeps what the callback brought, and ends the time for the browser', async () => {
      const store = await openWithConsent()
      expect(await store.holdConsent('k1', sampleHold())).toBe(true)
      expect(await store.findConsent('k1')).toEqual({ ...sampleConsent(), ...sampleHold(), state: 'HELD' })
      expect(await store.hasSealedData()).toBe(true)
    })

    it('of a consent that is held, ended or unknown does nothing', async () => {
      const store = await openWithConsent()
      await store.holdConsent('k1', sampleHold())
      expect(await store.holdConsent('k1', sampleHold({ receiptHash: 'other' }))).toBe(false)
      await store.finishConsent('k1', denied)
      expect(await store.holdConsent('k1', sampleHold())).toBe(false)
      expect(await store.holdConsent('k2', sampleHold())).toBe(false)
      expect(await store.findConsent('k1')).toEqual({ ...sampleConsent(), ...sampleHold(), ...ended })
    })
  })

  describe('takeHeldConsent()', () => {
    it('can be done once, and judges neither the receipt nor the expiry', async () => {
      const store = await openWithConsent()
      await store.holdConsent('k1', sampleHold())
      const held = await store.findConsent('k1')
      const taken = await Promise.all([
        store.takeHeldConsent('k1', t0 + 200_000),
        store.takeHeldConsent('k1', t0 + 200_000),
      ])
      expect(taken.filter(consent => consent !== undefined)).toEqual([held])
      expect(await store.findConsent('k1')).toEqual({
        ...held,
        receiptHash: undefined,
        expiresAt: t0 + 200_000,
      })
    })

    it('of a consent that is not held finds nothing', async () => {
      const store = await openWithConsent()
      expect(await store.takeHeldConsent('k1', t0)).toBeUndefined()
      expect(await store.takeHeldConsent('k2', t0)).toBeUndefined()
      await store.holdConsent('k1', sampleHold())
      await store.finishConsent('k1', denied)
      expect(await store.takeHeldConsent('k1', t0)).toBeUndefined()
    })
  })

  describe('expireHeldConsents()', () => {
    it.each([
      ['one millisecond before the expiry', t0 + 69_999, 'HELD'],
      ['at the expiry', t0 + 70_000, 'EXPIRED'],
      ['one millisecond after the expiry', t0 + 70_001, 'EXPIRED'],
    ])('%s', async (_, now, state) => {
      const store = await openWithConsent()
      await store.holdConsent('k1', sampleHold())
      const expired = await store.expireHeldConsents(now)
      const consent = await store.findConsent('k1')
      expect(consent?.state).toBe(state)
      expect(expired).toEqual(state === 'EXPIRED' ? [consent] : [])
      expect(consent?.sealedCode).toEqual(state === 'EXPIRED' ? undefined : bytes('code-1'))
    })

    it('leaves what is not held, and what was taken until its own time is over', async () => {
      const store = await openWithConsent()
      await store.createConsent(sampleConsent({ id: 'k2', linkHash: 'link-2' }))
      await store.holdConsent('k2', sampleHold())
      await store.takeHeldConsent('k2', t0 + 200_000)
      expect(await store.expireHeldConsents(t0 + 199_999)).toEqual([])
      expect(await store.expireHeldConsents(t0 + 200_000)).toMatchObject([{ id: 'k2', state: 'EXPIRED' }])
      expect((await store.findConsent('k1'))?.state).toBe('PENDING')
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
