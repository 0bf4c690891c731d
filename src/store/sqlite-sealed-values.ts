import type { Database } from 'better-sqlite3'
import type { SealContext } from './keyring.ts'
import { checkLimit } from './page-limit.ts'
import type { Resealing, SealedCount, SealedQuery, SealedValue } from './sealed-values.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'

type Place = Pick<SealContext, 'table' | 'column'>

/** Every column that holds sealed values, in the order in which they are listed. */
const places: readonly Place[] = [
  { table: 'connections', column: 'access_token' },
  { table: 'connections', column: 'refresh_token' },
  { table: 'connections', column: 'sibling' },
  { table: 'revocations', column: 'access_token' },
  { table: 'revocations', column: 'refresh_token' },
  { table: 'consents', column: 'verifier' },
  { table: 'consents', column: 'code' },
]

type Listed = {
  readonly id: string
  readonly epoch: number
  readonly origin: string
  readonly sealed: Buffer
}

/** Sealed values over all tables, found by the key that they name. */
export function createSealedValues(
  database: Database,
  { read, write }: Transactions,
): Pick<Store, 'listSealedValues' | 'replaceSealedValues' | 'countSealedValues'> {
  const pages = places.map(place => ({ ...place, page: preparePage(database, place) }))
  const replacements = new Map(
    places.map(place => [nameOf(place), prepareReplacement(database, place)] as const),
  )

  // Triggers keep the counts; what is counted here is what stands there.
  const counts = database.prepare<[], SealedCount>(
    'SELECT lower(hex(kid)) AS kid, count FROM sealed_counts WHERE count > 0 ORDER BY kid',
  )

  function list({ kid, after, limit }: SealedQuery): SealedValue[] {
    const start = after === undefined ? 0 : places.findIndex(place => nameOf(place) === nameOf(after))
    const found: SealedValue[] = []
    for (const [index, { table, column, page }] of pages.entries()) {
      if (index < start || found.length >= checkLimit(limit)) continue
      const afterId = index === start ? (after?.id ?? '') : ''
      const rows = page.all(Buffer.from(kid, 'hex'), afterId, limit - found.length)
      for (const { id, epoch, origin, sealed } of rows) {
        found.push({ context: { table, column, id, grantEpoch: epoch, origin }, sealed })
      }
    }
    return found
  }

  function replace(values: readonly Resealing[]): number {
    let replaced = 0
    for (const { context, sealed, resealed } of values) {
      const statement = replacements.get(nameOf(context))
      if (statement === undefined) throw new Error(`there are no sealed values in ${nameOf(context)}`)
      replaced += statement.run(resealed, context.id, sealed).changes
    }
    return replaced
  }

  return {
    listSealedValues: query => read(() => list(query)),
    replaceSealedValues: values => write(() => replace(values)),
    countSealedValues: () => read(() => counts.all()),
  }
}

/** Whether any value names the key. */
export function sealsAnything(database: Database, kid: string): boolean {
  return places.some(place => {
    const { from, kid: expression } = sqlOf(place)
    const found = database.prepare<[Buffer]>(`SELECT 1 ${from} WHERE ${expression} = ? LIMIT 1`)
    return found.get(Buffer.from(kid, 'hex')) !== undefined
  })
}

/** The key within a column, as its index has it. The index is named because the planner likes the ids better. */
function sqlOf({ table, column }: Place) {
  return {
    from: `FROM ${table} INDEXED BY ${table}_key_of_sealed_${column}`,
    kid: `substr(sealed_${column}, 5, 8)`,
  }
}

function preparePage(database: Database, place: Place) {
  const { from, kid } = sqlOf(place)
  // A consent has no grant yet, and its secrets go to no endpoint that it names.
  const binding =
    place.table === 'consents' ? "0 AS epoch, '' AS origin" : 'grant_epoch AS epoch, token_origin AS origin'
  return database.prepare<[Buffer, string, number], Listed>(
    `SELECT id, ${binding}, sealed_${place.column} AS sealed ${from} WHERE ${kid} = ? AND id > ? ORDER BY id LIMIT ?`,
  )
}

/** Sealing is salted: equal bytes are the very value that was read, so nothing newer is overwritten. */
function prepareReplacement(database: Database, { table, column }: Place) {
  return database.prepare<[Uint8Array, string, Uint8Array]>(
    `UPDATE ${table} SET sealed_${column} = ? WHERE id = ? AND sealed_${column} = ?`,
  )
}

function nameOf({ table, column }: Place): string {
  return `${table}.${column}`
}
