import type { AuditEvent } from '../../audit/audit.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import type { ConnectionRow, NewGrant } from '../../store/rows.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { Finisher } from './outcome.ts'

/** What every record about a consent names: the connection, who asked, for whom, and for what. */
export function consentFacts(
  consent: ConsentRow,
): Required<Pick<AuditEvent, 'provider' | 'account' | 'details'>> {
  const { id, provider, account, createdBy, subject, returnId, scopes } = consent
  return {
    provider,
    account,
    details: { consent_id: id, created_by: createdBy, subject, return_id: returnId, scopes },
  }
}

/** The record of a grant that a consent has brought. */
export function completion(consent: ConsentRow, grant: NewGrant, finisher: Finisher): AuditEvent {
  const facts = consentFacts(consent)
  return {
    ...facts,
    ...finisher,
    event: 'CONSENT_COMPLETED',
    ...connectionFacts(grant),
    details: { ...facts.details, ...grantFacts(grant, consent.scopes) },
  }
}

/** The record of what the provider said only when it was asked after the consent. */
export function identification(
  consent: ConsentRow,
  row: ConnectionRow,
  known: Pick<ConnectionRow, 'providerAccountId' | 'grantedScopes'>,
  finisher: Finisher,
): AuditEvent {
  return {
    ...finisher,
    event: 'CONNECTION_IDENTIFIED',
    ...connectionFacts(row),
    details: { consent_id: consent.id, ...grantFacts(known, consent.scopes) },
  }
}

/** No scope anywhere = as requested. */
function grantFacts(
  { providerAccountId, grantedScopes }: Pick<ConnectionRow, 'providerAccountId' | 'grantedScopes'>,
  requested: readonly string[],
) {
  return { provider_account_id: providerAccountId, granted_scopes: grantedScopes ?? requested }
}

/** The record that nobody finished a consent in time. */
export function expiration(consent: ConsentRow): AuditEvent {
  return { ...consentFacts(consent), event: 'CONSENT_FAILED', outcome: 'FAILED', reason: 'EXPIRED' }
}
