import type { AuditEvent } from '../../audit/audit.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'

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
