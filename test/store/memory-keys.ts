import type { ConsentRow } from '../../src/store/consent-rows.ts'
import type { SealContext } from '../../src/store/keyring.ts'
import { checkLimit } from '../../src/store/page-limit.ts'
import { lostNamesMax } from '../../src/store/restores.ts'
import type { ConnectionRow, RevocationRow } from '../../src/store/rows.ts'
import { kidOf, type SealedValue } from '../../src/store/sealed-values.ts'
import type { Store } from '../../src/store/store.ts'
import { addEntry, compareBytes, type MemoryTables, type Synchronous } from './memory-tables.ts'

type Keys = Synchronous<
  Pick<
    Store,
    | 'promoteKey'
    | 'retireKey'
    | 'forgetRetiredKeys'
    | 'rewrapKeys'
    | 'listSealedValues'
    | 'replaceSealedValues'
    | 'countSealedValues'
    | 'beginRestoreCheck'
    | 'restoreReport'
    | 'noteRestoreReported'
  >
>

type Fate = 'survived' | 'lost' | 'pending'

/** The care of keys and of accepted copies in `MemoryStore`. */
export function memoryKeys(tables: MemoryTables): Keys {
  const { keys, retirements, connections, restore } = tables

  const seals = (kid: string) => sealedValues(tables).some(({ sealed }) => kidOf(sealed) === kid)

  function fates(): [row: ConnectionRow, fate: Fate][] {
    return restore.checked.map(row => [row, fateOf(row, connections.get(row.id))])
  }

  return {
    promoteKey(kid, entry) {
      const pending = keys.get(kid)
      if (pending?.state !== 'pending') return false
      for (const key of keys.values()) {
        if (key.state === 'primary') keys.set(key.kid, { ...key, state: 'active' })
      }
      keys.set(kid, { ...pending, state: 'primary' })
      addEntry(tables, entry)
      return true
    },
    retireKey(kid, at, entry) {
      const key = keys.get(kid)
      if (key?.state !== 'active' || key.purpose !== 'seal' || seals(kid)) return false
      keys.set(kid, { ...key, state: 'retired' })
      retirements.set(kid, at)
      addEntry(tables, entry)
      return true
    },
    forgetRetiredKeys(retiredBefore) {
      const old = [...retirements].filter(([kid, at]) => at < retiredBefore && !seals(kid))
      for (const [kid] of old) {
        keys.delete(kid)
        retirements.delete(kid)
      }
      return old.map(([kid]) => kid).sort()
    },
    rewrapKeys(rewrapped, entry) {
      const isRead = rewrapped.every(
        ({ kid, previous }) => Buffer.compare(keys.get(kid)?.wrappedSeed ?? Buffer.of(), previous) === 0,
      )
      if (!isRead || rewrapped.length !== keys.size) return false
      for (const { previous: _, ...changes } of rewrapped) {
        const key = keys.get(changes.kid)
        if (key !== undefined) keys.set(key.kid, { ...key, ...changes })
      }
      addEntry(tables, entry)
      return true
    },
    listSealedValues({ kid, after, limit }) {
      const named = sealedValues(tables).filter(({ sealed }) => kidOf(sealed) === kid)
      const start = after === undefined ? 0 : named.findIndex(({ context }) => isBehind(context, after))
      return start < 0 ? [] : named.slice(start, start + checkLimit(limit))
    },
    replaceSealedValues(values) {
      const replaced = values.filter(({ context, sealed, resealed }) => {
        const stored = sealedValues(tables).find(value => compareContexts(value.context, context) === 0)
        if (stored === undefined || Buffer.compare(stored.sealed, sealed) !== 0) return false
        replace(tables, context, resealed)
        return true
      })
      return replaced.length
    },
    countSealedValues() {
      const counts = new Map<string, number>()
      for (const { sealed } of sealedValues(tables)) {
        counts.set(kidOf(sealed), (counts.get(kidOf(sealed)) ?? 0) + 1)
      }
      return [...counts].map(([kid, count]) => ({ kid, count })).sort((a, b) => compareBytes(a.kid, b.kid))
    },
    beginRestoreCheck({ now, exempt, everyMs, entryOf }) {
      const rows = [...connections.values()]
        .filter(row => row.sealedRefreshToken !== undefined && row.state !== 'REAUTH_REQUIRED')
        .filter(({ provider }) => !exempt.includes(provider))
        .sort((a, b) => compareBytes(a.id, b.id))
      restore.checked = rows
      restore.acceptedAt = now
      restore.reportedAt = undefined
      for (const [place, row] of rows.entries()) {
        connections.set(row.id, { ...row, suspect: true, nextRefreshAt: now + place * everyMs })
      }
      addEntry(tables, entryOf?.(rows.length))
      return rows.length
    },
    restoreReport() {
      const { acceptedAt, reportedAt } = restore
      if (acceptedAt === undefined) return undefined
      const count = (wanted: Fate) => fates().filter(([, fate]) => fate === wanted).length
      const lostConnections = fates()
        .filter(([, fate]) => fate === 'lost')
        .map(([{ provider, account }]) => ({ provider, account }))
        .sort((a, b) => compareBytes(a.provider, b.provider) || compareBytes(a.account, b.account))
        .slice(0, lostNamesMax)
      return {
        acceptedAt,
        reportedAt,
        survived: count('survived'),
        lost: count('lost'),
        pending: count('pending'),
        lostConnections,
      }
    },
    noteRestoreReported(at) {
      if (restore.acceptedAt !== undefined) restore.reportedAt = at
    },
  }
}

function fateOf(checked: ConnectionRow, current: ConnectionRow | undefined): Fate {
  if (current === undefined || current.grantEpoch > checked.grantEpoch) return 'survived'
  if (current.state === 'REAUTH_REQUIRED') return 'lost'
  return current.suspect ? 'pending' : 'survived'
}

/** All of them, in the order of their places. */
function sealedValues({ connections, revocations, consents }: MemoryTables): SealedValue[] {
  const bound = (table: 'connections' | 'revocations') => (row: ConnectionRow | RevocationRow) =>
    values(row, { table, id: row.id, grantEpoch: row.grantEpoch, origin: row.tokenOrigin })
  const found = [
    ...[...connections.values()].flatMap(bound('connections')),
    ...[...revocations.values()].flatMap(bound('revocations')),
    ...[...consents.values()].flatMap(row =>
      values(row, { table: 'consents', id: row.id, grantEpoch: 0, origin: '' }),
    ),
  ]
  return found.sort((a, b) => compareContexts(a.context, b.context))
}

function values(row: object, place: Omit<SealContext, 'column'>): SealedValue[] {
  return Object.entries(row)
    .filter(([name, value]) => name.startsWith('sealed') && value !== undefined)
    .map(([name, sealed]) => ({ context: { ...place, column: columnOf(name) }, sealed }))
}

function replace(tables: MemoryTables, { table, column, id }: SealContext, resealed: Uint8Array): void {
  const rows: Map<string, ConnectionRow | RevocationRow | ConsentRow> = tables[table]
  const row = rows.get(id)
  const name = `sealed_${column}`.replace(/_[a-z]/g, letter => letter.slice(1).toUpperCase())
  if (row !== undefined) rows.set(id, { ...row, [name]: resealed })
}

function columnOf(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`).replace('sealed_', '')
}

const places = [
  'connections.access_token',
  'connections.refresh_token',
  'connections.sibling',
  'revocations.access_token',
  'revocations.refresh_token',
  'consents.verifier',
  'consents.code',
]

function compareContexts(a: SealContext, b: SealContext): number {
  const placeOf = ({ table, column }: SealContext) => places.indexOf(`${table}.${column}`)
  return placeOf(a) - placeOf(b) || compareBytes(a.id, b.id)
}

function isBehind(context: SealContext, after: SealContext): boolean {
  return compareContexts(context, after) > 0
}
