import { timingSafeEqual } from 'node:crypto'
import { type CallbackOutcome, only, readCallback } from '../oauth/callback.ts'
import type { Definition } from '../providers/definition.ts'
import type { Secret } from '../secret.ts'
import type { ConsentRow } from '../store/rows.ts'
import type { ConsentCallback, ConsentError, ConsentResult } from './consent-flow.ts'
import { connectGrant } from './consent-grant.ts'
import { hashOf } from './consent-link.ts'
import type { ConsentPorts } from './consent-ports.ts'
import type { ProviderHandle } from './providers.ts'
import { statusOf } from './status.ts'

/** Takes the browser back from the provider: every check that needs no request comes before the first one. */
export async function finishConsent(ports: ConsentPorts, callback: ConsentCallback): Promise<ConsentResult> {
  const handle = ports.providers.all().find(({ provider }) => provider.redirectPath === callback.path)
  const state = only(callback.parameters, 'state')
  if (handle === undefined || state === undefined) return { kind: 'unknown' }
  const consent = await ports.store.takeConsentByState(hashOf(state))
  if (consent === undefined) return { kind: 'unknown' }

  const end = (error: ConsentError) => endConsent(ports, consent, error)
  if (consent.provider !== handle.provider.id) {
    return end({ reason: 'BAD_CALLBACK', message: 'the answer came to another provider', providerCode: '' })
  }
  if (!sameBrowser(consent, callback.cookie)) {
    await end({ reason: 'BAD_CALLBACK', message: 'the answer came by another browser', providerCode: '' })
    return { kind: 'foreign_browser' }
  }
  if (ports.clock.now() >= consent.expiresAt) {
    await ports.store.finishConsent(consent.id, { state: 'EXPIRED', finishedAt: ports.clock.now() })
    return { kind: 'expired' }
  }
  const found = await handle.client.definition()
  if (!found.ok) return end({ reason: 'PROVIDER_ERROR', message: found.failure.message, providerCode: '' })
  const outcome = readCallback(found.value, handle.provider, callback.parameters)
  return outcome.kind === 'code'
    ? completeConsent(ports, handle, found.value, consent, outcome)
    : end(callbackError(outcome))
}

async function completeConsent(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  callback: CallbackOutcome & { readonly kind: 'code' },
): Promise<ConsentResult> {
  const granted = await connectGrant(ports, handle, definition, consent, callback)
  if ('reason' in granted) return endConsent(ports, consent, granted)
  await ports.store.finishConsent(consent.id, { state: 'COMPLETED', finishedAt: ports.clock.now() })
  const { provider, account } = consent
  ports.log.info('Connected', { provider, account, createdBy: consent.createdBy })
  return { kind: 'connected', status: statusOf(handle, consent, granted, ports.clock) }
}

async function endConsent(
  ports: ConsentPorts,
  consent: ConsentRow,
  error: ConsentError,
): Promise<ConsentResult> {
  const { provider, account } = consent
  await ports.store.finishConsent(consent.id, {
    state: error.reason === 'DENIED' ? 'DENIED' : 'FAILED',
    finishedAt: ports.clock.now(),
    errorReason: error.reason,
    errorMessage: error.message,
    errorProviderCode: error.providerCode,
  })
  ports.log.warn('Consent did not complete', { provider, account, reason: error.reason })
  return { kind: 'failed', provider, account, error }
}

function sameBrowser({ cookieHash }: ConsentRow, cookie: Secret | undefined): boolean {
  if (cookieHash === undefined || cookie === undefined) return false
  return timingSafeEqual(Buffer.from(cookieHash), Buffer.from(hashOf(cookie)))
}

function callbackError(outcome: Exclude<CallbackOutcome, { kind: 'code' }>): ConsentError {
  switch (outcome.kind) {
    case 'error':
      return outcome.denied
        ? { reason: 'DENIED', message: 'consent was refused', providerCode: outcome.providerCode }
        : {
            reason: 'PROVIDER_ERROR',
            message: `the provider ended the consent${outcome.providerCode && ` (${outcome.providerCode})`}`,
            providerCode: outcome.providerCode,
          }
    case 'wrong_issuer':
      return {
        reason: 'ISSUER_MISMATCH',
        message: 'the answer came from another authorization server than the one that was asked',
        providerCode: '',
      }
    case 'malformed':
      return {
        reason: 'BAD_CALLBACK',
        message: 'the provider sent back a malformed answer',
        providerCode: '',
      }
  }
}
