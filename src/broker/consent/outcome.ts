import type { AuditEvent } from '../../audit/audit.ts'
import type { CallbackOutcome } from '../../oauth/callback.ts'
import type { Definition } from '../../providers/definition.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { CallerIdentity } from '../broker.ts'
import type { Connection } from '../connection.ts'
import type { ProviderHandle } from '../providers.ts'
import { consentFacts } from './audit.ts'
import type { ConsentError, ConsentResult } from './flow.ts'
import { connectGrant } from './grant.ts'
import type { ConsentPorts } from './ports.ts'

/** Who brought a consent to its end: a browser, or the service that confirmed its user. */
export interface Finisher {
  readonly caller?: CallerIdentity
  /** The browser's address; absent = unknown. */
  readonly peer?: string
}

/** Exchanges the code, and records how that went. The outcome is stored when this resolves. */
export async function connectConsent(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  callback: Pick<CallbackOutcome & { readonly kind: 'code' }, 'code' | 'attributes'>,
  finisher: Finisher,
): Promise<Connection | ConsentError> {
  const granted = await connectGrant(ports, handle, definition, consent, callback)
  if ('reason' in granted) {
    await endConsent(ports, consent, granted, finisher)
    return granted
  }
  const { provider, account } = consent
  const outcome = { state: 'COMPLETED', finishedAt: ports.clock.now() } as const
  await ports.store.finishConsent(
    consent.id,
    outcome,
    ports.audit.entry(completion(consent, granted, finisher)),
  )
  ports.log.info('Connected', { provider, account, createdBy: consent.createdBy })
  return granted
}

/** Records why a consent did not complete; what was sealed for it is gone when this resolves. */
export async function endConsent(
  ports: ConsentPorts,
  consent: ConsentRow,
  error: ConsentError,
  finisher: Finisher,
): Promise<void> {
  const { provider, account } = consent
  const { reason, message, providerCode } = error
  const outcome = {
    state: reason === 'DENIED' ? 'DENIED' : 'FAILED',
    finishedAt: ports.clock.now(),
    errorReason: reason,
    errorMessage: message,
    errorProviderCode: providerCode,
  } as const
  const entry = ports.audit.entry({
    ...consentFacts(consent),
    ...finisher,
    event: 'CONSENT_FAILED',
    outcome: outcome.state,
    reason,
  })
  await ports.store.finishConsent(consent.id, outcome, entry)
  ports.log.warn('Consent did not complete', { provider, account, reason })
}

/** How a browser is told of it. */
export function failedResult({ provider, account }: ConsentRow, error: ConsentError): ConsentResult {
  return { kind: 'failed', provider, account, error }
}

/** Records that nobody finished a consent in time. */
export function noteExpiry(ports: Pick<ConsentPorts, 'audit' | 'log'>, consent: ConsentRow): void {
  const { provider, account } = consent
  ports.audit.note({
    ...consentFacts(consent),
    event: 'CONSENT_FAILED',
    outcome: 'FAILED',
    reason: 'EXPIRED',
  })
  ports.log.warn('Consent did not complete', { provider, account, reason: 'EXPIRED' })
}

function completion(consent: ConsentRow, { row }: Connection, finisher: Finisher): AuditEvent {
  const facts = consentFacts(consent)
  const { providerAccountId, grantedScopes = consent.scopes } = row
  return {
    ...facts,
    ...finisher,
    event: 'CONSENT_COMPLETED',
    ...connectionFacts(row),
    details: { ...facts.details, provider_account_id: providerAccountId, granted_scopes: grantedScopes },
  }
}
