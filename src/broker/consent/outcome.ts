import type { CallbackOutcome } from '../../oauth/callback.ts'
import type { Definition } from '../../providers/definition.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import type { CallerIdentity } from '../broker.ts'
import type { Connection } from '../connection.ts'
import type { ProviderHandle } from '../providers.ts'
import { consentFacts, expiration } from './audit.ts'
import type { ConsentError, ConsentResult } from './flow.ts'
import { connectGrant } from './grant.ts'
import type { ConsentPorts } from './ports.ts'

/** Who brought a consent to its end: a browser, or the service that confirmed its user. */
export interface Finisher {
  readonly caller?: CallerIdentity
  /** The browser's address; absent = unknown. */
  readonly peer?: string
}

/** Exchanges the code, and records how that went: with the grant, or why there is none. */
export async function connectConsent(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  callback: Pick<CallbackOutcome & { readonly kind: 'code' }, 'code' | 'attributes'>,
  finisher: Finisher,
): Promise<Connection | ConsentError> {
  const granted = await connectGrant(ports, handle, definition, consent, callback, finisher)
  if ('reason' in granted) {
    await endConsent(ports, consent, granted, finisher)
    return granted
  }
  const { provider, account } = consent
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
export async function expireConsent(ports: ConsentPorts, consent: ConsentRow, now: number): Promise<void> {
  const outcome = { state: 'EXPIRED', finishedAt: now } as const
  await ports.store.finishConsent(consent.id, outcome, ports.audit.entry(expiration(consent)))
  sayExpired(ports.log, consent)
}

/** Says in the log that nobody finished a consent in time. */
export function sayExpired(log: ConsentPorts['log'], { provider, account }: ConsentRow): void {
  log.warn('Consent did not complete', { provider, account, reason: 'EXPIRED' })
}
