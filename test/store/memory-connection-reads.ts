import { checkLimit } from '../../src/store/page-limit.ts'
import type { ConnectionCount } from '../../src/store/queries.ts'
import type { ConnectionName, ConnectionRow } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { compareBytes, type MemoryTables, nameKey, type Synchronous } from './memory-tables.ts'

type Reads = Synchronous<
  Pick<
    Store,
    'findConnection' | 'listConnections' | 'countConnections' | 'listDueConnections' | 'listSharedConnections'
  >
>

/** What `MemoryStore` reads of connections. Lists look at every row: simulations have few. */
export function memoryConnectionReads({ connections, connectionIds }: MemoryTables): Reads {
  const rows = () => [...connections.values()]
  return {
    findConnection: (provider, account) =>
      connections.get(connectionIds.get(nameKey({ provider, account })) ?? ''),
    listConnections: ({ provider, state, after, before, limit }) =>
      rows()
        .filter(row => provider === undefined || row.provider === provider)
        .filter(row => state === undefined || row.state === state)
        .filter(row => after === undefined || byName(row, after) > 0)
        .filter(row => before === undefined || byName(row, before) < 0)
        .sort(byName)
        .slice(0, checkLimit(limit)),
    countConnections: () => countOf(rows()),
    listDueConnections: ({ provider, before, limit, outcomeUnknown }) =>
      rows()
        .filter(row => row.provider === provider)
        .filter(row => row.nextRefreshAt !== undefined && row.nextRefreshAt <= before)
        .filter(row => (row.outcomeUnknownSince !== undefined) === outcomeUnknown)
        .sort(byNextRefresh)
        .slice(0, checkLimit(limit)),
    listSharedConnections: ({ providerAccountId, clientFingerprint, tokenOrigin }) =>
      rows()
        .filter(row => row.providerAccountId === providerAccountId)
        .filter(row => row.clientFingerprint === clientFingerprint && row.tokenOrigin === tokenOrigin)
        .filter(row => row.providerAccountId !== '')
        .sort(byName),
  }
}

function countOf(rows: readonly ConnectionRow[]): ConnectionCount[] {
  const counts = new Map<string, ConnectionCount>()
  for (const { provider, state } of rows) {
    const key = `${provider} ${state}`
    counts.set(key, { provider, state, count: (counts.get(key)?.count ?? 0) + 1 })
  }
  return [...counts.values()].sort(
    (left, right) => compareBytes(left.provider, right.provider) || compareBytes(left.state, right.state),
  )
}

function byName(left: ConnectionName, right: ConnectionName): number {
  return compareBytes(left.provider, right.provider) || compareBytes(left.account, right.account)
}

function byNextRefresh(left: ConnectionRow, right: ConnectionRow): number {
  return (left.nextRefreshAt ?? 0) - (right.nextRefreshAt ?? 0) || compareBytes(left.id, right.id)
}
