/*
 * version | release | what changed
 * --------|---------|-----------------------------------------------------------------
 *    1    | 0.1.0   | connections, revocations, consents, keys, releases
 *    2    | 0.1.0   | connections: fingerprint of the client secret, due lists per provider; clock_mark
 *    3    | 0.1.0   | audit_records, audit_copy; releases: found by fingerprint
 *    4    | 0.1.0   | consents: receipt and sealed code of a two-step consent
 *    5    | 0.1.0   | sealed values found by key; key_retirements, commit_mark, restores, restored_connections
 *    6    | 0.1.0   | connections, revocations: origins of the endpoints beside the token endpoint
 *    7    | 0.1.0   | sealed_counts
 *
 * The version is SQLite's `user_version`. A migration is never edited after its release: a change is a new
 * file and a new line here. `keys` keeps its columns in every version, because the root key is checked
 * against them before anything is migrated.
 */
import type { Database } from 'better-sqlite3'
import { initialTables } from './migration-0001.ts'
import { refreshProtocol } from './migration-0002.ts'
import { auditRecords } from './migration-0003.ts'
import { heldConsents } from './migration-0004.ts'
import { keyCare } from './migration-0005.ts'
import { endpointOrigins } from './migration-0006.ts'
import { sealedCounts } from './migration-0007.ts'
import { StoreSetupError } from './setup-error.ts'

/** SQL by version: the first entry leads from an empty database to version 1. */
const migrations: readonly string[] = [
  initialTables,
  refreshProtocol,
  auditRecords,
  heldConsents,
  keyCare,
  endpointOrigins,
  sealedCounts,
]

/** The version of the tables that this release reads and writes. */
export const schemaVersion = migrations.length

/** The version of the tables in that database; 0 = empty. */
export function readSchemaVersion(database: Database): number {
  return Number(database.pragma('user_version', { simple: true }))
}

/**
 * Brings the tables to this release's version, one transaction per migration.
 *
 * @throws StoreSetupError `newer_schema`
 */
export function migrate(database: Database): void {
  refuseNewerSchema(database)
  for (let version = readSchemaVersion(database) + 1; version <= schemaVersion; version++) {
    applyMigration(database, version)
  }
}

/**
 * Refuses a database that a newer release has written: this one could misread it.
 *
 * @throws StoreSetupError `newer_schema`
 */
export function refuseNewerSchema(database: Database): void {
  const found = readSchemaVersion(database)
  if (found <= schemaVersion) return
  throw new StoreSetupError(
    'newer_schema',
    `the database has schema version ${found}, this release knows ${schemaVersion}: ` +
      'run the release that wrote it or a newer one, or restore a backup from before the upgrade',
  )
}

function applyMigration(database: Database, version: number): void {
  const sql = migrations[version - 1]
  if (sql === undefined) throw new Error(`there is no migration to version ${version}`)
  const apply = database.transaction(() => {
    // Somebody else may have migrated between the check and the lock.
    if (readSchemaVersion(database) >= version) return
    database.exec(sql)
    database.pragma(`user_version = ${version}`)
  })
  apply.immediate()
}
