import type { ConnectionQuery } from '../store/queries.ts'
import type { ConnectionRow } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import { type AccountPart, accountParts, compareAccounts } from './account-parts.ts'
import type { ConnectionListRequest, ConnectionName } from './broker.ts'
import { guard } from './connections.ts'

/** Which connections whoever asks may see. */
export interface Sight {
  readonly visible: (name: ConnectionName) => boolean
  /** Accounts of a provider, exact or ending in `*`, among which all visible ones are. Absent = any may be visible. */
  readonly accounts?: (provider: string) => readonly string[]
}

/** Which connections are read, from which one on. */
export interface RowsQuery extends Sight, Pick<ConnectionListRequest, 'provider' | 'state'> {
  /** Those after it; absent = from the first. */
  readonly after?: ConnectionName
  /** How many are read at a time. */
  readonly limit: number
}

type Reads = Pick<Store, 'findConnection' | 'listConnections'>

/** Sorts behind every account, which has 256 bytes at most. */
const AFTER_ALL_ACCOUNTS = '\u{10ffff}'.repeat(65)

/**
 * Yields visible connections, ordered by provider and account, in pages that may be empty. Where the accounts are known
 * that can be visible, nothing else is read.
 */
export async function* visibleRows(store: Reads, query: RowsQuery): AsyncGenerator<ConnectionRow[]> {
  for await (const rows of readRows(store, query)) yield rows.filter(row => query.visible(row))
}

async function* readRows(store: Reads, query: RowsQuery): AsyncGenerator<ConnectionRow[]> {
  const { provider, state, accounts, after } = query
  if (accounts === undefined) {
    yield* readPages(store, query)
    return
  }
  const providers = provider === undefined ? storedProviders(store, state, after?.provider) : [provider]
  for await (const id of providers) {
    // Ids of providers are ASCII, whose order is that of their bytes.
    if (after !== undefined && after.provider > id) continue
    const position = after?.provider === id ? after.account : undefined
    for (const part of accountParts(accounts(id))) yield* readPart(store, query, id, part, position)
  }
}

/** The providers that have connections, one read for each; the first may have none. */
async function* storedProviders(
  store: Reads,
  state: RowsQuery['state'],
  first: string | undefined,
): AsyncGenerator<string> {
  for (let last = first; ; ) {
    if (last !== undefined) yield last
    const after = last === undefined ? undefined : { provider: last, account: AFTER_ALL_ACCOUNTS }
    const [row] = await guard(store.listConnections({ state, after, limit: 1 }))
    if (row === undefined) return
    last = row.provider
  }
}

async function* readPart(
  store: Reads,
  { state, limit }: RowsQuery,
  provider: string,
  part: AccountPart,
  position: string | undefined,
): AsyncGenerator<ConnectionRow[]> {
  const isPassed = (account: string) => position !== undefined && compareAccounts(account, position) <= 0
  if (part.kind === 'one') {
    const row = isPassed(part.account) ? undefined : await guard(store.findConnection(provider, part.account))
    if (row !== undefined && (state === undefined || row.state === state)) yield [row]
    return
  }
  if (part.before !== undefined && isPassed(part.before)) return
  const start = position !== undefined && isPassed(part.after) ? position : part.after
  const before = part.before === undefined ? undefined : { provider, account: part.before }
  yield* readPages(store, { provider, state, after: { provider, account: start }, before, limit })
}

async function* readPages(
  store: Reads,
  { provider, state, before, limit, ...query }: ConnectionQuery,
): AsyncGenerator<ConnectionRow[]> {
  for (let { after } = query; ; ) {
    const rows = await guard(store.listConnections({ provider, state, after, before, limit }))
    yield rows
    if (rows.length < limit) return
    after = rows.at(-1)
  }
}
