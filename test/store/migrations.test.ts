import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { migrate, readSchemaVersion, schemaVersion } from '../../src/store/migrations.ts'

const tables = [
  'audit_copy',
  'audit_records',
  'clock_mark',
  'commit_mark',
  'connections',
  'consents',
  'key_retirements',
  'keys',
  'releases',
  'restored_connections',
  'restores',
  'revocations',
  'sealed_counts',
]

function tableNames(database: Database.Database): unknown[] {
  return database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .pluck()
    .all()
}

describe('migrate()', () => {
  it('creates all tables, and strict ones', () => {
    const database = new Database(':memory:')
    migrate(database)
    expect(tableNames(database)).toEqual(tables)
    expect(readSchemaVersion(database)).toBe(schemaVersion)
    const loose = database.prepare('SELECT name FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE ?')
    expect(loose.all('sqlite_%')).toEqual([])
  })

  it('lets triggers count the values of every sealed column', () => {
    const database = new Database(':memory:')
    migrate(database)
    const columns = database.prepare<[string], string>(
      "SELECT name FROM pragma_table_info(?) WHERE name LIKE 'sealed%' AND type = 'BLOB'",
    )
    const sealed = tables.flatMap(table =>
      columns
        .pluck()
        .all(table)
        .map(column => `${table}_${column}`),
    )
    expect(sealed).toHaveLength(7)
    const triggers = database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    const expected = sealed.flatMap(place =>
      ['inserted', 'updated', 'deleted'].map(what => `${place}_${what}`),
    )
    expect(triggers.pluck().all()).toEqual(expect.arrayContaining(expected))
  })

  it('changes nothing the second time', () => {
    const database = new Database(':memory:')
    migrate(database)
    const before = database.serialize()
    migrate(database)
    expect(database.serialize()).toEqual(before)
  })

  it('leaves nothing of a migration that fails', () => {
    const database = new Database(':memory:')
    database.exec('CREATE TABLE releases (a)')
    expect(() => migrate(database)).toThrow('releases')
    expect(tableNames(database)).toEqual(['releases'])
    expect(readSchemaVersion(database)).toBe(0)
  })

  it('refuses a newer database with what to do', () => {
    const database = new Database(':memory:')
    database.pragma(`user_version = ${schemaVersion + 1}`)
    const refusal = `schema version ${schemaVersion + 1}, this release knows ${schemaVersion}: run the release`
    expect(() => migrate(database)).toThrow(refusal)
    expect(tableNames(database)).toEqual([])
  })
})
