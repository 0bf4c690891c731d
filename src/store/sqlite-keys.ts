import type { Database } from 'better-sqlite3'
import type { AuditEntry, KeyRow, RewrappedKey } from './record-rows.ts'
import type { AddEntry } from './sqlite-audit.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import { sealsAnything } from './sqlite-sealed-values.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, rowFromRecord } = codecs.keys

type Keys = Pick<
  Store,
  'listKeys' | 'insertKey' | 'promoteKey' | 'retireKey' | 'forgetRetiredKeys' | 'rewrapKeys' | 'hasSealedData'
>

/** The table of wrapped keys. */
export function createKeys(database: Database, { read, write, erase }: Transactions, add: AddEntry): Keys {
  const table = prepareStatements(database)

  /** Adds the entry of a change that was made. */
  function recorded(isChanged: boolean, entry: AuditEntry | undefined): boolean {
    if (isChanged) add(entry)
    return isChanged
  }

  function promote(kid: string): boolean {
    if (table.isPending.get(kid) === undefined) return false
    table.demote.run()
    table.promote.run(kid)
    return true
  }

  function retire(kid: string, at: number): boolean {
    if (sealsAnything(database, kid)) return false
    if (table.retire.run(kid).changes === 0) return false
    table.noteRetirement.run(kid, at)
    return true
  }

  function forgetRetired(retiredBefore: number): string[] {
    const old = table.retiredBefore.all(retiredBefore).filter(kid => !sealsAnything(database, kid))
    for (const kid of old) {
      table.remove.run(kid)
      table.removeRetirement.run(kid)
    }
    return old
  }

  /** All of them or none: no two root keys are ever needed to open one store. */
  function rewrap(keys: readonly RewrappedKey[]): boolean {
    const stored = new Map(readKeys(database).map(key => [key.kid, key]))
    const unchanged = keys.every(
      ({ kid, previous }) => Buffer.compare(stored.get(kid)?.wrappedSeed ?? Buffer.of(), previous) === 0,
    )
    if (!unchanged || keys.length !== stored.size) return false
    for (const { kid, wrappedSeed, rootFingerprint } of keys)
      table.rewrap.run(wrappedSeed, rootFingerprint, kid)
    return true
  }

  return {
    listKeys: () => read(() => readKeys(database)),
    insertKey: key =>
      write(() => {
        table.insert.run(recordFromRow(key))
      }),
    promoteKey: (kid, entry) => write(() => recorded(promote(kid), entry)),
    retireKey: (kid, at, entry) => erase(() => recorded(retire(kid, at), entry)),
    forgetRetiredKeys: retiredBefore => erase(() => forgetRetired(retiredBefore)),
    rewrapKeys: (keys, entry) => erase(() => recorded(rewrap(keys), entry)),
    hasSealedData: () => read(() => containsSealedData(database)),
  }
}

function prepareStatements(database: Database) {
  return {
    insert: database.prepare<[SqlRecord]>(insertSql('keys', columnNames)),
    isPending: database.prepare<[string]>(
      "SELECT 1 FROM keys WHERE kid = ? AND purpose = 'seal' AND state = 'pending'",
    ),
    demote: database.prepare("UPDATE keys SET state = 'active' WHERE purpose = 'seal' AND state = 'primary'"),
    promote: database.prepare<[string]>("UPDATE keys SET state = 'primary' WHERE kid = ?"),
    retire: database.prepare<[string]>(
      "UPDATE keys SET state = 'retired' WHERE kid = ? AND purpose = 'seal' AND state = 'active'",
    ),
    noteRetirement: database.prepare<[string, number]>(
      'INSERT INTO key_retirements (kid, retired_at) VALUES (?, ?)',
    ),
    retiredBefore: database
      .prepare<[number], string>(
        `SELECT kid FROM keys JOIN key_retirements USING (kid)
         WHERE state = 'retired' AND retired_at < ? ORDER BY kid`,
      )
      .pluck(),
    remove: database.prepare<[string]>('DELETE FROM keys WHERE kid = ?'),
    removeRetirement: database.prepare<[string]>('DELETE FROM key_retirements WHERE kid = ?'),
    rewrap: database.prepare<[Uint8Array, string, string]>(
      'UPDATE keys SET wrapped_seed = ?, root_fingerprint = ? WHERE kid = ?',
    ),
  }
}

/** All keys, the oldest first. */
export function readKeys(database: Database): KeyRow[] {
  const keys = database.prepare<[], SqlRecord>(
    `SELECT ${columnNames.join(', ')} FROM keys ORDER BY created_at, kid`,
  )
  return keys.all().map(rowFromRecord)
}

/** Whether any table holds a sealed value; of tables from before a migration what they have is looked at. */
export function containsSealedData(database: Database): boolean {
  const columns = database.prepare<[], string>(
    "SELECT name FROM pragma_table_info('consents') WHERE name LIKE 'sealed%'",
  )
  const ofConsents = columns
    .pluck()
    .all()
    .map(column => `OR EXISTS (SELECT 1 FROM consents WHERE ${column} IS NOT NULL)`)
  const found = database.prepare<[], number>(
    `SELECT EXISTS (SELECT 1 FROM connections) OR EXISTS (SELECT 1 FROM revocations) ${ofConsents.join(' ')}`,
  )
  return found.pluck().get() === 1
}
