import { adoptedRow, attemptedRow, extendedRow } from '../../src/store/attempt-changes.ts'
import {
  enrichedRow,
  failedRow,
  forgottenRow,
  grantedRow,
  keptTokenRow,
  reboundRow,
  refreshedRow,
  siblingRow,
  suspectRow,
} from '../../src/store/connection-changes.ts'
import type { AuditEntry } from '../../src/store/record-rows.ts'
import type {
  AttemptAdoption,
  ConnectionRow,
  Leaving,
  NewGrant,
  RevocationRow,
} from '../../src/store/rows.ts'
import { broughtForward, broughtForwardRow } from '../../src/store/schedule-shift.ts'
import type { Store } from '../../src/store/store.ts'
import { endConsent } from './memory-consents.ts'
import {
  addEntry,
  insertRevocations,
  type MemoryTables,
  nameKey,
  type Synchronous,
  type Tell,
} from './memory-tables.ts'

type Writes = Synchronous<
  Pick<
    Store,
    | 'saveGrant'
    | 'beginAttempt'
    | 'extendLease'
    | 'adoptAttempts'
    | 'commitRefresh'
    | 'failRefresh'
    | 'keepRefreshToken'
    | 'keepSibling'
    | 'markSuspect'
    | 'forgetRefreshToken'
    | 'enrichConnection'
    | 'rebindConnection'
    | 'bringForward'
    | 'touchConnections'
    | 'removeConnection'
  >
>

type Change = (row: ConnectionRow) => ConnectionRow | undefined

/** What `MemoryStore` changes of connections. */
export function memoryConnectionWrites(tables: MemoryTables, tell: Tell): Writes {
  const { connections, connectionIds, revocations } = tables

  function change(id: string, changed: Change): ConnectionRow | undefined {
    const stored = connections.get(id)
    const row = stored && changed(stored)
    if (row !== undefined) connections.set(id, row)
    return row
  }

  function tellingChange(id: string, changed: Change): ConnectionRow | undefined {
    const row = change(id, changed)
    if (row !== undefined) tell(row)
    return row
  }

  function saveGrant(grant: NewGrant): ConnectionRow | undefined {
    const stored = connections.get(connectionIds.get(nameKey(grant)) ?? '')
    const row = grantedRow(grant, stored)
    if (row === undefined) return undefined
    if (stored === undefined && connections.has(row.id)) throw new Error(`the id ${row.id} is used twice`)
    for (const revocation of revocations.values()) {
      if (grant.cancelRevocations && isOfGrant(revocation, row)) revocations.delete(revocation.id)
    }
    connections.set(row.id, row)
    connectionIds.set(nameKey(row), row.id)
    tell(row)
    return row
  }

  function adoptAttempts(adoption: AttemptAdoption): number {
    const adopted = [...connections.keys()].map(id => change(id, row => adoptedRow(row, adoption)))
    return adopted.filter(row => row !== undefined).length
  }

  function removeConnection(
    provider: string,
    account: string,
    leaving?: (removed: ConnectionRow) => Leaving,
  ) {
    const key = nameKey({ provider, account })
    const row = connections.get(connectionIds.get(key) ?? '')
    if (row === undefined) return undefined
    const { revocations: filed = [], entry } = leaving?.(row) ?? {}
    insertRevocations(tables, filed)
    connections.delete(row.id)
    connectionIds.delete(key)
    tell(row)
    return recorded(row, entry)
  }

  function recorded<Changed>(changed: Changed | undefined, entry?: AuditEntry): Changed | undefined {
    if (changed !== undefined) addEntry(tables, entry)
    return changed
  }

  return {
    saveGrant(grant, entry, consent) {
      const row = recorded(saveGrant(grant), entry)
      if (row === undefined || consent === undefined) return row
      endConsent(tables, consent.id, consent.outcome)
      return recorded(row, consent.entry)
    },
    beginAttempt: attempt => change(attempt.id, row => attemptedRow(row, attempt)) !== undefined,
    extendLease: (base, attemptId, leaseUntil) =>
      change(base.id, row => extendedRow(row, base, attemptId, leaseUntil)) !== undefined,
    adoptAttempts,
    commitRefresh: (base, outcome, entry) =>
      recorded(
        tellingChange(base.id, row => refreshedRow(row, base, outcome)),
        entry,
      ),
    failRefresh: (base, outcome, entry) =>
      recorded(
        tellingChange(base.id, row => failedRow(row, base, outcome)),
        entry,
      ),
    keepRefreshToken: (base, kept) => tellingChange(base.id, row => keptTokenRow(row, base, kept)),
    keepSibling: (at, sibling) => tellingChange(at.id, row => siblingRow(row, at, sibling)),
    markSuspect: (at, nextRefreshAt, refusal) =>
      tellingChange(at.id, row => suspectRow(row, at, nextRefreshAt, refusal)),
    forgetRefreshToken: base => tellingChange(base.id, row => forgottenRow(row, base)),
    enrichConnection: (base, facts, entry) =>
      recorded(
        tellingChange(base.id, row => enrichedRow(row, base, facts)),
        entry,
      ),
    rebindConnection: (base, rebinding, entry) =>
      recorded(
        tellingChange(base.id, row => reboundRow(row, base, rebinding)),
        entry,
      ),
    bringForward(shift) {
      for (const id of connections.keys()) change(id, row => broughtForwardRow(row, shift))
      for (const [id, entry] of revocations) {
        revocations.set(id, { ...entry, nextTryAt: broughtForward(entry.nextTryAt, shift) })
      }
    },
    touchConnections(uses) {
      for (const { id, lastUsedAt } of uses) {
        change(id, row => ({ ...row, lastUsedAt: Math.max(row.lastUsedAt ?? lastUsedAt, lastUsedAt) }))
      }
    },
    removeConnection,
  }
}

/** Where one side does not know its provider account, the account's name is the best evidence. */
function isOfGrant(revocation: RevocationRow, row: ConnectionRow): boolean {
  if (revocation.clientFingerprint !== row.clientFingerprint) return false
  if (revocation.tokenOrigin !== row.tokenOrigin) return false
  return revocation.providerAccountId !== '' && row.providerAccountId !== ''
    ? revocation.providerAccountId === row.providerAccountId
    : revocation.provider === row.provider && revocation.account === row.account
}
