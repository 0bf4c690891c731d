import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { databasePath, openSqliteStore } from '../../src/store/sqlite.ts'
import {
  baseOf,
  connect,
  sampleAttempt,
  sampleConsent,
  sampleEntry,
  sampleHold,
  sampleRevocation,
  sampleStart,
  t0,
} from './samples.ts'
import { tempDir } from './temp-dir.ts'

const SOME = { id: '', grantEpoch: 0, counter: 0 }

/** A store, and what changes its file behind its back. */
async function open() {
  const path = databasePath(tempDir())
  const store = await openSqliteStore({ path })
  const database = new Database(path)
  onTestFinished(async () => {
    database.close()
    await store.close()
  })
  const damage = (table: string, column: string, text: string, id: string) => {
    database.pragma('ignore_check_constraints = on')
    const { changes } = database
      .prepare(`UPDATE ${table} SET ${column} = ? WHERE ${table === 'audit_records' ? 'sequence' : 'id'} = ?`)
      .run(text, id)
    expect(changes).toBe(1)
  }
  const textOf = (column: string, id: string) =>
    database.prepare<[string], string>(`SELECT ${column} FROM connections WHERE id = ?`).pluck().get(id)
  return { store, damage, textOf }
}

describe('a connection of which a column is damaged', () => {
  const due = { provider: 'pinterest', before: t0, limit: 10, outcomeUnknown: false }
  const columns = [
    ['attributes', '{"instance":"e'],
    ['variables', '[]'],
    ['requested_scopes', '{}'],
    ['granted_scopes', 'null'],
    ['endpoint_origins', ''],
    ['last_error', '"x"'],
  ] as const

  /** One connection that is damaged, and one that is not; both are due. */
  async function two(column: string, text: string) {
    const opened = await open()
    const { store, damage } = opened
    await connect(store, { nextRefreshAt: t0 })
    await connect(store, { id: 'c2', account: 'bob', nextRefreshAt: t0 })
    damage('connections', column, text, 'c1')
    return opened
  }

  it.each(columns)('%s = %s is read, with what it is, and hides no other', async (column, text) => {
    const { store } = await two(column, text)
    expect(await store.findConnection('pinterest', 'alice')).toMatchObject({ id: 'c1', damaged: [column] })
    for (const rows of [await store.listDueConnections(due), await store.listConnections({ limit: 10 })]) {
      expect(rows.map(({ id, damaged }) => [id, damaged])).toEqual([
        ['c1', [column]],
        ['c2', undefined],
      ])
    }
  })

  it.each(columns)('%s = %s is left as it stands by a change of others', async (column, text) => {
    const { store, textOf } = await two(column, text)
    const row = await store.findConnection('pinterest', 'alice')
    const base = baseOf(row ?? SOME)
    expect(await store.enrichConnection(base, { nextRefreshAt: t0 + 5 })).toMatchObject({
      nextRefreshAt: t0 + 5,
      damaged: [column],
    })
    expect(await store.beginAttempt(sampleAttempt(base))).toBe(true)
    expect(await store.adoptAttempts({ now: t0, leases: 'all' })).toBe(1)
    expect(textOf(column, 'c1')).toBe(text)
  })

  it.each(columns)('%s = %s can be connected anew, and removed', async (column, text) => {
    const { store, damage } = await two(column, text)
    const anew = await connect(store, { expected: { id: 'c1', grantEpoch: 1 } })
    expect(anew.damaged).toBeUndefined()
    damage('connections', column, text, 'c1')
    expect(await store.removeConnection('pinterest', 'alice')).toMatchObject({ damaged: [column] })
    expect(await store.findConnection('pinterest', 'alice')).toBeUndefined()
  })

  it('has a state and an expiry all the same, which the next refresh puts right', async () => {
    const { store } = await two('state', 'ACTIUE')
    expect(await store.findConnection('pinterest', 'alice')).toMatchObject({ state: 'ACTIVE' })
    const { store: other } = await two('expiry', 'STATEE')
    const row = await other.findConnection('pinterest', 'alice')
    expect(row).toMatchObject({ expiry: 'UNKNOWN' })
    expect(await other.enrichConnection(baseOf(row ?? SOME), { nextRefreshAt: t0 + 5 })).toBeDefined()
  })
})

describe('another row of which a column is damaged', () => {
  it('is a revocation beside others', async () => {
    const { store, damage } = await open()
    for (const id of ['r1', 'r2']) await store.addRevocation(sampleRevocation({ id }))
    damage('revocations', 'attributes', '{', 'r1')
    const rows = await store.listDueRevocations(t0 + 1_000_000, 10)
    expect(rows.map(({ id, damaged }) => [id, damaged])).toEqual([
      ['r1', ['attributes']],
      ['r2', undefined],
    ])
  })

  it('is a consent, which is used by nobody and expires', async () => {
    const { store, damage } = await open()
    await store.createConsent(sampleConsent())
    await store.startConsent('link-1', sampleStart())
    damage('consents', 'scopes', '[', 'k1')
    await expect(store.takeConsentByState('state-1')).rejects.toMatchObject({ reason: 'corrupt' })
    await expect(store.findConsent('k1')).rejects.toMatchObject({ reason: 'corrupt' })
    expect(await store.holdConsent('k1', sampleHold())).toBe(true)
    await expect(store.takeHeldConsent('k1', t0 + 1)).rejects.toMatchObject({ reason: 'corrupt' })
    expect(await store.expireHeldConsents(t0 + 80_000)).toMatchObject([{ id: 'k1' }])
  })

  it('is a record of the audit, which says so', async () => {
    const { store, damage } = await open()
    await store.addAuditRecords([sampleEntry(), sampleEntry()])
    damage('audit_records', 'details', '{', '1')
    const rows = await store.listAuditRecordsAfter(0, 10)
    expect(rows.map(({ sequence, details }) => [sequence, 'damaged' in details])).toEqual([
      [1, true],
      [2, false],
    ])
  })
})
