import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { initialTables } from '../../src/store/migration-0001.ts'
import { schemaVersion } from '../../src/store/migrations.ts'
import { databasePath, inspectSqliteStore, openSqliteStore } from '../../src/store/sqlite.ts'
import { createConnectionReads } from '../../src/store/sqlite-connection-reads.ts'
import {
  baseOf,
  bytes,
  connect,
  sampleAttempt,
  sampleConsent,
  sampleFailure,
  sampleGrant,
  sampleRelease,
  sampleRevocation,
  sampleStart,
  sampleSuccess,
  t0,
} from './samples.ts'
import { tempDir } from './temp-dir.ts'

/** Each table and the columns that version 1 had. */
function columnsOfVersion1(): Map<string, string[]> {
  const database = new Database(':memory:')
  database.exec(initialTables)
  const tables = database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck()
  const columns = database.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck()
  const found = new Map(tables.all().map(table => [table, columns.all(table)]))
  database.close()
  return found
}

/** What version 1 did not keep of a grant. */
const unknownThen = { clientSecretFingerprint: undefined, endpointOrigins: undefined }

/** A closed database of version 1 with something in every table. */
async function databaseOfVersion1(): Promise<string> {
  const dataDir = tempDir()
  const path = databasePath(dataDir)
  const source = databasePath(tempDir())
  const store = await openSqliteStore({ path: source })
  const row = await connect(store, { ...unknownThen })
  await store.beginAttempt(sampleAttempt(row))
  await store.failRefresh(baseOf(row), sampleFailure({ outcomeUnknown: true, nextRefreshAt: t0 }))
  await store.beginAttempt(sampleAttempt(row, { attemptId: 'a2', failures: 1 }))
  await connect(store, { ...unknownThen, id: 'c2', account: 'bob', nextRefreshAt: t0 })
  await store.addRevocation(sampleRevocation())
  await store.createConsent(sampleConsent())
  await store.startConsent('link-1', sampleStart())
  const key = { kid: 'ff', wrappedSeed: bytes('w'), rootFingerprint: 'root', createdAt: 1 }
  await store.insertKey({ ...key, purpose: 'seal', state: 'primary' })
  await store.recordReleases([sampleRelease()])
  await store.close()
  const database = new Database(path)
  database.exec(initialTables)
  database.pragma('user_version = 1')
  database.prepare('ATTACH ? AS source').run(source)
  for (const [table, columns] of columnsOfVersion1()) {
    const names = columns.join(', ')
    const { changes } = database
      .prepare(`INSERT INTO ${table} (${names}) SELECT ${names} FROM source.${table}`)
      .run()
    expect(changes, table).toBeGreaterThan(0)
  }
  database.close()
  return path
}

describe('a database of version 1', () => {
  it('keeps all that it has', async () => {
    const path = await databaseOfVersion1()
    expect(await inspectSqliteStore({ path })).toMatchObject({ keys: [{ kid: 'ff' }], hasSealedData: true })
    const store = await openSqliteStore({ path })
    onTestFinished(() => store.close())
    expect(store.schemaVersion).toBe(schemaVersion)
    expect(await store.findConnection('pinterest', 'bob')).toMatchObject({
      ...sampleFacts({ id: 'c2', account: 'bob', nextRefreshAt: t0 }),
      counter: 1,
    })
    expect((await store.findConnection('pinterest', 'bob'))?.endpointOrigins).toBeUndefined()
    expect(await store.findConnection('pinterest', 'alice')).toMatchObject({
      ...sampleFacts({ nextRefreshAt: t0 }),
      attemptId: 'a2',
      outcomeUnknownSince: t0 + 5_000,
      outcomeUnknownTries: 1,
    })
    expect(await store.listDueRevocations(t0 + 1_000, 10)).toEqual([
      sampleRevocation({ endpointOrigins: undefined }),
    ])
    expect(await store.takeConsentByState('state-1')).toMatchObject({ sealedVerifier: bytes('verifier-1') })
    expect(await store.listKeys()).toHaveLength(1)
    expect(await store.listReleases({ limit: 10 })).toHaveLength(1)
    const counts = await store.countSealedValues()
    expect(counts).toHaveLength(5)
    for (const { kid, count } of counts) {
      expect(await store.listSealedValues({ kid, limit: 100 })).toHaveLength(count)
    }
  })

  it('can do what is new', async () => {
    const store = await openSqliteStore({ path: await databaseOfVersion1() })
    onTestFinished(() => store.close())
    const due = { provider: 'pinterest', before: t0, limit: 10 }
    const idsOf = async (outcomeUnknown: boolean) =>
      (await store.listDueConnections({ ...due, outcomeUnknown })).map(({ id }) => id)
    expect(await idsOf(true)).toEqual(['c1'])
    expect(await idsOf(false)).toEqual(['c2'])
    expect(await store.clockMark()).toBeUndefined()
    await store.raiseClockMark(t0)
    expect(await store.clockMark()).toBe(t0)
    expect(await store.adoptAttempts({ now: t0, leases: 'all' })).toBe(1)
    const base = { id: 'c1', grantEpoch: 1, counter: 1 }
    expect(await store.commitRefresh(base, sampleSuccess())).toMatchObject({
      clientSecretFingerprint: 'secret-2',
      sealedAccessToken: bytes('access-2'),
    })
  })
})

describe('listDueConnections()', () => {
  it.each([
    [false, 'connections_due'],
    [true, 'connections_due_unknown'],
  ])(
    'with outcomeUnknown = %s reads a range of an index and sorts nothing',
    async (outcomeUnknown, index) => {
      const path = databasePath(tempDir())
      await (await openSqliteStore({ path })).close()
      const database = new Database(path)
      onTestFinished(() => {
        database.close()
      })
      const run: string[] = []
      const logging = new Database(path, { verbose: sql => run.push(String(sql)) })
      onTestFinished(() => {
        logging.close()
      })
      const read = async <T>(work: () => T) => work()
      const transactions = { read, write: read, erase: read, close: async () => {} }
      const reads = createConnectionReads(logging, transactions)
      await reads.listDueConnections({ provider: 'pinterest', before: t0, limit: 5, outcomeUnknown })
      const plan = database.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${run.at(-1)}`).all()
      expect(plan.map(({ detail }) => detail)).toEqual([
        `SEARCH connections USING INDEX ${index} (provider=? AND next_refresh_at<?)`,
      ])
    },
  )
})

/** What a sample grant leaves in its row, as far as version 1 knew it. */
function sampleFacts(changes: Parameters<typeof sampleGrant>[0]) {
  const { expected: _expected, cancelRevocations: _cancel, ...facts } = sampleGrant(changes)
  const { clientSecretFingerprint: _fingerprint, endpointOrigins: _origins, ...known } = facts
  return known
}
