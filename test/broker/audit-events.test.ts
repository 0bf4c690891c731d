import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import type { AuditRow } from '../../src/store/record-rows.ts'
import type { Store } from '../../src/store/store.ts'
import { settle } from './fake-clock.ts'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000

const caller = {
  name: 'ops',
  authentication: 'jwt',
  origin: { requestId: 'r-1', peer: '10.0.0.9:4000' },
}

/** What was written together with changes. */
async function stored(store: Store): Promise<AuditRow[]> {
  return store.listAuditRecordsAfter(0, 1_000)
}

const eventsOf = (rows: readonly AuditRow[]) => rows.map(({ event, reason }) => `${event} ${reason}`.trim())

function importOf(token: string) {
  return {
    provider: 'acme',
    account: '',
    credential: { kind: 'access_token', token: new Secret(token) },
    scopes: ['a', 'b'],
    providerAccountId: 'them\u202e',
    variables: {},
    attributes: {},
    check: 'NONE',
    replace: true,
    caller,
  } as const
}

describe('what is recorded', () => {
  it('of a consent: who asked, who consented, which account and scopes, in the transactions of the changes', async () => {
    const { connect, store } = await createWorld()
    await connect()
    const rows = await stored(store)
    expect(eventsOf(rows)).toEqual([
      'CONSENT_LINK_CREATED',
      'CONNECTION_STATE_CHANGED CONSENT',
      'CONSENT_COMPLETED',
    ])
    const connection = await store.findConnection('acme', '')
    expect(rows[2]).toMatchObject({
      provider: 'acme',
      connectionId: connection?.id,
      version: connection?.version,
      details: { created_by: 'tester', scopes: 'a b', granted_scopes: expect.any(String) },
    })
  })

  it('of a consent, all with the grant: whatever happens after that takes nothing of it away', async () => {
    const { connect, store } = await createWorld()
    const gone = () => Promise.reject(new Error('the process was killed'))
    Object.assign(store, { finishConsent: gone, enrichConnection: gone, addAuditRecords: gone })
    await connect().catch(() => {})
    expect(eventsOf(await stored(store))).toContain('CONSENT_COMPLETED')
    const { details } = (await stored(store)).at(-1) ?? {}
    expect((await store.findConsent(details?.consent_id ?? ''))?.state).toBe('COMPLETED')
  })

  it('of a consent whose time was over when the browser came back, with its end', async () => {
    const { depart, comeBack, clock, store } = await createWorld()
    Object.assign(store, { addAuditRecords: () => Promise.reject(new Error('the process was killed')) })
    const { state } = await depart()
    await clock.advance(600_000)
    await comeBack({ code: 'c', state })
    expect(eventsOf(await stored(store))).toEqual(['CONSENT_LINK_CREATED', 'CONSENT_FAILED EXPIRED'])
  })

  it('of a release: the caller, where it called from, and the token by its fingerprint', async () => {
    const { connect, get, releases } = await createWorld()
    await connect()
    await get({ caller })
    expect(releases).toMatchObject([
      { caller: 'ops', authentication: 'jwt', origin: caller.origin, provider: 'acme', account: '' },
    ])
    expect(releases[0]?.fingerprint).toMatch(/^[0-9a-f]{32}$/)
  })

  it('of a static token that two providers have: one release each, whether it is asked for or watched', async () => {
    const provider = { staticAccessToken: new Secret('the same') }
    const { broker, get, releases } = await createWorld({ provider, others: [{ id: 'other' }] })
    await get()
    await get({ provider: 'other' })
    const { signal } = new AbortController()
    const connections = [{ provider: 'other', account: '' }]
    for await (const _ of broker.watchAccessTokens({ connections, caller, authorize() {}, signal })) break
    expect(new Set(releases.map(({ version }) => version)).size).toBe(1)
    expect(releases.map(({ connectionId }) => connectionId)).toEqual([
      'static:acme',
      'static:other',
      'static:other',
    ])
  })

  it('of an import, with what the caller wrote escaped', async () => {
    const { broker, store } = await createWorld()
    await broker.importConnection(importOf('at-imported'))
    const rows = await stored(store)
    expect(rows).toMatchObject([
      {
        event: 'CONNECTION_IMPORTED',
        caller: 'ops',
        authentication: 'jwt',
        requestId: 'r-1',
        peer: '10.0.0.9:4000',
        details: {
          check: 'NONE',
          replaced: 'false',
          provider_account_id: 'them\\u{202e}',
          granted_scopes: 'a b',
        },
      },
    ])
    expect(JSON.stringify(rows)).not.toContain('at-imported')
  })

  it('of a disconnection, once', async () => {
    const { connect, broker, store, name } = await createWorld()
    await connect()
    for (let i = 0; i < 2; i++) await broker.disconnect({ ...name, shared: 'KEEP', caller })
    const rows = (await stored(store)).filter(({ event }) => event === 'CONNECTION_DISCONNECTED')
    expect(rows).toMatchObject([{ caller: 'ops', requestId: 'r-1', details: { revocation: 'FILED' } }])
  })

  it('of a disconnection, and of what became of its revocation', async () => {
    const { connect, broker, store, name } = await createWorld()
    await connect()
    await broker.disconnect({ ...name, shared: 'KEEP', caller })
    const rows = await stored(store)
    expect(eventsOf(rows).slice(-2)).toEqual(['CONNECTION_DISCONNECTED', 'REVOCATION_ENDED REVOKED'])
    expect(rows.at(-1)).toMatchObject({ provider: 'acme', outcome: 'SUCCEEDED' })
  })

  it('of a grant that dies: the change, and no failure before it', async () => {
    const { connect, store, server, clock, broker, audit } = await createWorld()
    await connect()
    await broker.start()
    server.script.push(...Array.from({ length: 10 }, () => answers.refused))
    await clock.advance(HOUR)
    await settle()
    const rows = (await stored(store)).filter(({ event }) => event === 'CONNECTION_STATE_CHANGED')
    expect(rows.at(-1)).toMatchObject({
      outcome: 'FAILED',
      caller: '',
      details: { from: 'ACTIVE', to: 'REAUTH_REQUIRED' },
    })
    expect(rows).toHaveLength(2)
    expect(audit.refreshes.every(({ provider }) => provider === 'acme')).toBe(true)
    await broker.stop()
  })

  it.each([
    ['works', [], 'SUCCEEDED', ''],
    ['fails', [answers.down], 'FAILED', 'PROVIDER_UNAVAILABLE'],
  ] as const)('of a forced refresh that %s, and not of its repeats', async (_, script, outcome, reason) => {
    const { connect, broker, name, server, audit } = await createWorld()
    await connect()
    server.script.push(...script)
    for (let i = 0; i < 3; i++) await broker.refresh({ ...name, caller })
    expect(audit.events.filter(({ event }) => event === 'REFRESH_FORCED')).toMatchObject([
      { caller, outcome, reason },
    ])
  })

  it('of ordinary refreshes: a number', async () => {
    const { connect, broker, clock, audit, store } = await createWorld()
    await connect()
    await broker.start()
    const before = (await stored(store)).length
    await clock.advance(HOUR)
    expect(audit.refreshes.length).toBeGreaterThan(0)
    expect(await stored(store)).toHaveLength(before)
    await broker.stop()
  })
})

describe('findReleases()', () => {
  it('is recorded before it is answered, and fails if that cannot be', async () => {
    const { AuditError } = await import('../../src/audit/audit.ts')
    const { broker, audit } = await createWorld()
    const search = { token: new Secret('canary'), caller, visible: () => true }
    await broker.findReleases(search)
    expect(audit.events).toMatchObject([{ event: 'AUDIT_SEARCHED', caller, fingerprint: expect.any(String) }])
    expect(JSON.stringify(audit.events)).not.toContain('canary')
    audit.record = async () => {
      throw new AuditError({})
    }
    await expect(broker.findReleases(search)).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
  })
})

describe('listAuditRecords()', () => {
  it('refuses a page token that is none', async () => {
    const { broker } = await createWorld()
    const request = { oldestFirst: true, pageSize: 10, visible: () => true }
    await expect(broker.listAuditRecords({ ...request, pageToken: 'x' })).rejects.toMatchObject({
      reason: 'INVALID_REQUEST',
    })
  })

  it('refuses an event that there is not, and names those that there are', async () => {
    const { broker } = await createWorld()
    const request = { oldestFirst: true, pageSize: 10, pageToken: '', visible: () => true }
    await expect(broker.listAuditRecords({ ...request, event: 'NIX' })).rejects.toMatchObject({
      reason: 'INVALID_REQUEST',
      message: expect.stringMatching(/^event: is none of TOKEN_RELEASED, .*BROKER_STOPPED$/),
    })
  })

  it('goes on where a page ended, and leaves out what the caller may not see', async () => {
    const { broker } = await createWorld()
    for (const token of ['at-a', 'at-b', 'at-c']) await broker.importConnection(importOf(token))
    const versions: string[] = []
    let pageToken = ''
    do {
      const request = { oldestFirst: false, pageSize: 1, pageToken }
      const page = await broker.listAuditRecords({ ...request, visible: () => true })
      const hidden = await broker.listAuditRecords({ ...request, visible: () => false })
      expect(hidden).toEqual({ records: [], nextPageToken: '' })
      versions.push(...page.records.map(({ version }) => version))
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    expect(new Set(versions).size).toBe(3)
  })

  it.each([
    ['account', { provider: 'acme', account: 'a' }, { provider: 'acme', account: 'nobody' }],
    ['caller', { caller: 'operator' }, { caller: 'nobody' }],
    ['event', { event: 'CONNECTION_IMPORTED' }, { event: 'CONNECTION_REBOUND' }],
  ])('does not tell a hidden %s from an absent one', async (_, hidden, absent) => {
    const { broker, store } = await createWorld()
    const { entryOf } = await import('../../src/audit/entry.ts')
    const event = {
      event: 'CONNECTION_IMPORTED',
      provider: 'acme',
      account: 'a',
      caller: { name: 'operator', authentication: 'operator_token' },
    } as const
    await store.addAuditRecords([entryOf(event, 1), entryOf(event, 2), entryOf(event, 3)])
    const request = { oldestFirst: true, pageSize: 1, pageToken: '', visible: () => false }
    const answer = await broker.listAuditRecords({ ...request, ...hidden })
    expect(answer).toEqual(await broker.listAuditRecords({ ...request, ...absent }))
  })
})
