import type { ConsentRow } from '../../src/store/consent-rows.ts'
import type { AuditEntry, AuditRow, KeyRow, ReleaseRow } from '../../src/store/record-rows.ts'
import type { ConnectionName, ConnectionRow, RevocationRow } from '../../src/store/rows.ts'

/** What is stored. Rows are replaced, never changed. */
export interface MemoryTables {
  readonly connections: Map<string, ConnectionRow>
  /** Ids of connections by {@link nameKey}. */
  readonly connectionIds: Map<string, string>
  readonly revocations: Map<string, RevocationRow>
  readonly consents: Map<string, ConsentRow>
  readonly keys: Map<string, KeyRow>
  readonly releases: Map<string, ReleaseRow>
  readonly audit: AuditRow[]
  auditSequence: number
  auditCopied: number
  clockMark: number | undefined
  readonly retirements: Map<string, number>
  readonly restore: {
    checked: readonly ConnectionRow[]
    acceptedAt: number | undefined
    reportedAt: number | undefined
  }
}

/** The methods of a store without their promises: each throws where the store rejects. */
export type Synchronous<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends (...input: infer Input) => Promise<infer Output>
    ? (...input: Input) => Output
    : never
}

/** Tells other processes that a connection has changed. */
export type Tell = (name: ConnectionName) => void

/** Tables with nothing in them. */
export function emptyTables(): MemoryTables {
  return {
    connections: new Map(),
    connectionIds: new Map(),
    revocations: new Map(),
    consents: new Map(),
    keys: new Map(),
    releases: new Map(),
    audit: [],
    auditSequence: 0,
    auditCopied: 0,
    clockMark: undefined,
    retirements: new Map(),
    restore: { checked: [], acceptedAt: undefined, reportedAt: undefined },
  }
}

/** Files a revocation under an id that was never used. */
export function insertRevocations({ revocations }: MemoryTables, rows: readonly RevocationRow[]): void {
  const ids = rows.map(({ id }) => id)
  const twice = ids.find((id, index) => revocations.has(id) || ids.indexOf(id) !== index)
  if (twice !== undefined) throw new Error(`the id ${twice} is used twice`)
  for (const row of rows) revocations.set(row.id, row)
}

/** The key of a connection's name; no provider has a space. */
export function nameKey({ provider, account }: ConnectionName): string {
  return `${provider} ${account}`
}

/** Orders texts as SQLite does: by their bytes. */
export function compareBytes(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** Adds an audit entry, if there is one. */
export function addEntry(tables: MemoryTables, entry: AuditEntry | undefined): void {
  if (entry !== undefined) tables.audit.push({ sequence: ++tables.auditSequence, ...entry })
}
