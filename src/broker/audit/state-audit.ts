import type { Audit, AuditCaller, AuditEntry, AuditEvent } from '../../audit/audit.ts'
import type { ConnectionRow, NewGrant, StoredState } from '../../store/rows.ts'
import { kidOf } from '../../store/sealed-values.ts'

/** Which connection a record is about. */
export function connectionFacts(
  row: Pick<ConnectionRow, 'id' | 'provider' | 'account' | 'version' | 'sealedAccessToken'>,
): Pick<AuditEvent, 'provider' | 'account' | 'connectionId' | 'version' | 'keyId'> {
  const { id: connectionId, provider, account, version, sealedAccessToken } = row
  return { provider, account, connectionId, version, keyId: kidOf(sealedAccessToken) }
}

/**
 * The entry of a change of state, for the transaction that makes it.
 *
 * @returns undefined if the state stays as it is
 */
export function stateChange(
  audit: Pick<Audit, 'entry'>,
  row: ConnectionRow,
  state: StoredState,
  reason: string,
): AuditEntry | undefined {
  if (row.state === state) return undefined
  return audit.entry({
    ...connectionFacts(row),
    event: 'CONNECTION_STATE_CHANGED',
    outcome: state === 'ACTIVE' ? 'SUCCEEDED' : 'FAILED',
    reason,
    details: { from: row.state, to: state },
  })
}

/** The entry of a new grant, for the transaction that stores it. */
export function grantStored(
  audit: Pick<Audit, 'entry'>,
  grant: NewGrant,
  reason: 'CONSENT' | 'CLIENT_CREDENTIALS',
): AuditEntry {
  return audit.entry({
    ...connectionFacts(grant),
    event: 'CONNECTION_STATE_CHANGED',
    reason,
    details: { from: grant.expected === null ? 'NOT_CONNECTED' : 'FORMER_GRANT', to: 'ACTIVE' },
  })
}

/** The entry of an import, for the transaction that stores it. */
export function grantImported(
  audit: Pick<Audit, 'entry'>,
  grant: NewGrant,
  caller: AuditCaller | undefined,
  check: string,
): AuditEntry {
  return audit.entry({
    ...connectionFacts(grant),
    event: 'CONNECTION_IMPORTED',
    caller,
    details: {
      check,
      replaced: String(grant.expected !== null),
      provider_account_id: grant.providerAccountId,
      granted_scopes: grant.grantedScopes ?? [],
    },
  })
}
