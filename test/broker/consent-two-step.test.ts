import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { StoreError } from '../../src/store/store.ts'
import { createMachine } from './machine.ts'
import { answers } from './scripted-server.ts'
import { createWorld, type WorldOptions } from './world.ts'

const asked = { returnId: 'portal', subject: 'user-7' }
const tester = { name: 'tester', authentication: 'static_token' }
const failed = (reason: string) => ({ state: 'FAILED', error: { reason } })

/** A world in which a browser has come back from the provider with a code, and was sent on. */
async function held(options: WorldOptions = {}) {
  const world = await createWorld(options)
  const { link, state } = await world.depart(asked)
  const result = await world.comeBack({ code: 'canary-code', state })
  if (result.kind !== 'returned') throw new Error(`expected to be sent back, got ${result.kind}`)
  const query = new URL(result.url.expose()).searchParams
  const { consentId } = link
  const receipt = new Secret(query.get('receipt') ?? '')
  const complete = (over: object = {}) =>
    world.broker.completeConsent({ caller: tester, consentId, receipt, subject: 'user-7', ...over })
  return { ...world, consentId, receipt, complete, url: result.url, stateOf: () => stateOf(world, consentId) }
}

async function stateOf({ broker }: Pick<Awaited<ReturnType<typeof createWorld>>, 'broker'>, id: string) {
  return (await broker.getConsent(id)).state
}

describe('createConsentLink() of two steps', () => {
  it.each([
    ['a return_id that is not configured', { returnId: 'elsewhere', subject: 'u' }, ['return_id']],
    ['a return_id without subject', { returnId: 'portal', subject: '' }, ['subject']],
    ['a subject that nobody would compare', { returnId: '', subject: 'u' }, ['subject']],
  ])('refuses %s', async (_, over, fields) => {
    const { depart } = await createWorld()
    const violations = fields.map(field => expect.objectContaining({ field }))
    await expect(depart(over)).rejects.toMatchObject({ reason: 'INVALID_REQUEST', details: { violations } })
  })

  it('says on the page where the browser goes in the end', async () => {
    const { broker, name } = await createWorld()
    const request = { ...name, caller: tester, scopes: [], variables: {}, allowAccountChange: false }
    const link = await broker.createConsentLink({ ...request, ...asked })
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    expect(await broker.consent.view(token)).toMatchObject({ kind: 'ready', returnHost: 'portal.example' })
  })
})

describe('consent.finish() of two steps', () => {
  it('holds the code and sends the browser to the configured address with a receipt', async () => {
    const { url, consentId, receipt, stateOf, server, store, audit } = await held()
    const { origin, pathname, searchParams } = new URL(url.expose())
    expect(`${origin}${pathname}`).toBe('https://portal.example/connected')
    expect([...searchParams.keys()].sort()).toEqual(['consent_id', 'lang', 'receipt'])
    expect(searchParams.get('consent_id')).toBe(consentId)
    expect(receipt.expose()).toMatch(/^[\w-]{43}$/)
    expect(await stateOf()).toBe('HELD')
    expect(server.http.sent).toHaveLength(0)
    expect(JSON.stringify(await store.findConsent(consentId))).not.toContain(receipt.expose())
    expect(audit.entries.map(({ event }) => event)).toEqual(['CONSENT_LINK_CREATED', 'CONSENT_HELD'])
  })

  it.each([
    ['a denial', { error: 'access_denied' }, 'DENIED'],
    ["the provider's error", { error: 'server_error' }, 'PROVIDER_ERROR'],
  ])('of %s sends the browser back without a receipt', async (_, parameters, error) => {
    const world = await createWorld()
    const { link, state } = await world.depart(asked)
    const result = await world.comeBack({ ...parameters, state })
    const url = result.kind === 'returned' ? new URL(result.url.expose()) : undefined
    expect(Object.fromEntries(url?.searchParams ?? [])).toEqual({
      lang: 'en',
      consent_id: link.consentId,
      error,
    })
  })

  it('sends nobody anywhere where the answer looks like an attack', async () => {
    const { depart, comeBack } = await createWorld()
    const { state } = await depart(asked)
    expect(await comeBack({ state })).toMatchObject({ kind: 'failed', error: { reason: 'BAD_CALLBACK' } })
    const other = await depart(asked)
    const foreign = await comeBack({ code: 'c', state: other.state }, new Secret('another-browser'))
    expect(foreign).toEqual({ kind: 'foreign_browser' })
  })
})

describe('completeConsent()', () => {
  it('exchanges the code once the same caller has named the same user', async () => {
    const { complete, server, get, audit } = await held()
    expect(await complete()).toMatchObject({ state: 'COMPLETED', status: { state: 'ACTIVE' } })
    const sent = new URLSearchParams(server.http.sent[0]?.body)
    expect(sent.get('code')).toBe('canary-code')
    expect(sent.get('code_verifier')).toMatch(/^[\w-]{43}$/)
    expect((await get()).accessToken.expose()).toBe('at-1')
    expect(audit.entries.at(-1)).toMatchObject({
      event: 'CONSENT_COMPLETED',
      caller: 'tester',
      details: { subject: 'user-7', return_id: 'portal', created_by: 'tester' },
    })
  })

  it('answers the outcome again to whoever repeats it, and exchanges nothing twice', async () => {
    const { complete, server } = await held()
    const [one, other] = await Promise.all([complete(), complete()])
    expect([one.state, other.state].sort()).toEqual(['COMPLETED', 'HELD'])
    const before = server.http.sent.length
    expect((await complete()).state).toBe('COMPLETED')
    expect(server.http.sent).toHaveLength(before)
  })

  it.each([
    ['another user', { subject: 'victim' }],
    ['another caller', { caller: { name: 'other', authentication: 'static_token' } }],
    ['another receipt', { receipt: new Secret('x'.repeat(43)) }],
    ['a receipt of another length', { receipt: new Secret('x') }],
  ])('with %s destroys the code and sends nothing', async (_, over) => {
    const { complete, stateOf, server, consentId, store, audit, log } = await held()
    expect(await complete(over)).toMatchObject(failed('NOT_CONFIRMED'))
    expect(await store.findConsent(consentId)).not.toHaveProperty('sealedCode')
    // The right one comes too late.
    expect(await complete()).toMatchObject(failed('NOT_CONFIRMED'))
    expect(await stateOf()).toBe('FAILED')
    expect(server.http.sent).toHaveLength(0)
    expect(audit.entries.at(-1)).toMatchObject({ event: 'CONSENT_FAILED', reason: 'NOT_CONFIRMED' })
    expect(log.at(-1)).toMatchObject({ level: 'warn', fields: { reason: 'NOT_CONFIRMED' } })
    expect(JSON.stringify([audit.entries, log])).not.toContain('canary-code')
  })

  it('tells nobody else of a consent that is not held', async () => {
    const { complete } = await held()
    await complete()
    const other = { name: 'other', authentication: 'static_token' }
    for (const over of [{ caller: other }, { subject: 'victim' }, { consentId: 'unknown' }])
      await expect(complete(over)).rejects.toMatchObject({ reason: 'CONSENT_NOT_FOUND' })
  })

  it('of a consent of one step says that it completes by itself', async () => {
    const { depart, broker } = await createWorld()
    const { consentId } = (await depart()).link
    const request = { caller: tester, consentId, receipt: new Secret('x'), subject: 'u' }
    await expect(broker.completeConsent(request)).rejects.toMatchObject({ reason: 'INVALID_REQUEST' })
  })

  it('before the browser is back changes nothing', async () => {
    const world = await createWorld()
    const { link, state } = await world.depart(asked)
    const { consentId } = link
    const early = { caller: tester, consentId, receipt: new Secret('guess'), subject: 'user-7' }
    expect((await world.broker.completeConsent(early)).state).toBe('PENDING')
    expect((await world.comeBack({ code: 'c', state })).kind).toBe('returned')
  })

  it('reports an exchange that failed', async () => {
    const { complete, server } = await held()
    server.script.push(answers.refused)
    expect(await complete()).toMatchObject(failed('EXCHANGE_FAILED'))
  })

  it('sends nothing if the held bytes were changed', async () => {
    const { complete, store, server } = await held()
    const take = store.takeHeldConsent
    store.takeHeldConsent = async (id, expiresAt) => {
      const row = await take(id, expiresAt)
      return row && { ...row, sealedCode: Buffer.from('["consents|code|another|0|","stolen"]') }
    }
    expect(await complete()).toMatchObject(failed('EXCHANGE_FAILED'))
    expect(server.http.sent).toHaveLength(0)
  })

  it.each([
    ['as long as all its requests may take', 299_999, 'HELD'],
    ['longer than that, because the process stood still', 300_000, 'EXPIRED'],
  ])('reports what is stored as completed, when the exchange takes %s', async (_, ms, meanwhile) => {
    const { complete, clock, server, broker, stateOf, get } = await held()
    await broker.start()
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const completion = complete()
    await clock.advance(ms)
    // The store is looked at every half minute only.
    expect(await stateOf()).toBe(meanwhile)
    gate.resolve()
    expect(await completion).toMatchObject({ state: 'COMPLETED', status: { state: 'ACTIVE' } })
    await clock.advance(60_000)
    expect(await stateOf()).toBe('COMPLETED')
    expect((await get()).accessToken.expose()).toBe('at-1')
    await broker.stop()
  })

  it('is completed with the grant: nothing more has to be stored', async () => {
    const { complete, clock, store, broker, stateOf, audit } = await held()
    await broker.start()
    store.finishConsent = () => Promise.reject(new StoreError('full', 'the disk is full'))
    expect((await complete()).state).toBe('COMPLETED')
    await clock.advance(600_000)
    expect(await stateOf()).toBe('COMPLETED')
    expect((await complete()).state).toBe('COMPLETED')
    expect(JSON.stringify(audit.events)).not.toContain('EXPIRED')
    await broker.stop()
  })

  it('works in another process over the same store', async () => {
    const { boot, consentId, receipt } = await held()
    const request = { caller: tester, consentId, receipt, subject: 'user-7' }
    expect((await boot().completeConsent(request)).state).toBe('COMPLETED')
  })
})

describe('a held code', () => {
  it.each([
    ['one millisecond before its minute is over', 59_999, 'COMPLETED', 1],
    ['when its minute is over', 60_000, 'EXPIRED', 0],
  ])('%s', async (_, ms, state, requests) => {
    const { complete, clock, server } = await held()
    await clock.advance(ms)
    expect((await complete()).state).toBe(state)
    expect(server.http.sent).toHaveLength(requests)
  })

  it('is destroyed after its minute though nobody asks', async () => {
    const { clock, store, consentId, server } = await held()
    await clock.advance(60_000)
    const consent = await store.findConsent(consentId)
    expect(consent).toMatchObject({ state: 'EXPIRED' })
    expect(consent).not.toHaveProperty('sealedCode')
    expect(server.http.sent).toHaveLength(0)
    const records = await store.listAuditRecordsAfter(0, 100)
    expect(records.at(-1)).toMatchObject({ event: 'CONSENT_FAILED', reason: 'EXPIRED' })
  })

  it('of a former run is destroyed too', async () => {
    const machine = createMachine()
    const former = machine.boot()
    const { link, state } = await former.depart(asked)
    await former.comeBack({ code: 'c', state })
    former.crash()
    await machine.clock.advance(90_000)
    const { store, broker } = await machine.run()
    await machine.clock.advance(1)
    const consent = await store.findConsent(link.consentId)
    expect([consent?.state, consent?.sealedCode]).toEqual(['EXPIRED', undefined])
    await broker.stop()
  })

  it('is kept while the store cannot be written, and goes once it can', async () => {
    const { clock, store, consentId, broker, log } = await held()
    await broker.start()
    const expire = store.expireHeldConsents
    store.expireHeldConsents = () => Promise.reject(new Error('the disk is full'))
    await clock.advance(60_000)
    expect(log.some(({ message }) => message.startsWith('Could not destroy held codes'))).toBe(true)
    store.expireHeldConsents = expire
    await clock.advance(30_000)
    expect((await store.findConsent(consentId))?.state).toBe('EXPIRED')
    await broker.stop()
  })
})
