import { timingSafeEqual } from 'node:crypto'
import { type CallbackOutcome, only, readCallback } from '../../oauth/callback.ts'
import type { Secret } from '../../secret.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import { statusOf } from '../status.ts'
import type { ConsentCallback, ConsentError, ConsentResult } from './flow.ts'
import { holdCode } from './hold.ts'
import { hashOf } from './link.ts'
import { connectConsent, endConsent, expireConsent, failedResult } from './outcome.ts'
import type { ConsentPorts } from './ports.ts'
import { returnTo } from './return.ts'

/** Takes the browser back from the provider: every check that needs no request comes before the first one. */
export async function finishConsent(ports: ConsentPorts, callback: ConsentCallback): Promise<ConsentResult> {
  const handle = ports.providers.all().find(({ provider }) => provider.redirectPath === callback.path)
  const state = only(callback.parameters, 'state')
  if (handle === undefined || state === undefined) return refuseUnknown(ports, callback, 'NO_STATE')
  const consent = await ports.store.takeConsentByState(hashOf(state))
  if (consent === undefined) return refuseUnknown(ports, callback, 'UNKNOWN_STATE')

  const finisher = { peer: callback.peer }
  const end = async (error: ConsentError): Promise<ConsentResult> => {
    await endConsent(ports, consent, error, finisher)
    return failedResult(consent, error)
  }
  if (consent.provider !== handle.provider.id) {
    return end({ reason: 'BAD_CALLBACK', message: 'the answer came to another provider', providerCode: '' })
  }
  if (!sameBrowser(consent, callback.cookie)) {
    await end({ reason: 'BAD_CALLBACK', message: 'the answer came by another browser', providerCode: '' })
    return { kind: 'foreign_browser' }
  }
  if (ports.clock.now() >= consent.expiresAt) {
    await expireConsent(ports, consent, ports.clock.now())
    return { kind: 'expired' }
  }
  const found = await handle.client.definition()
  if (!found.ok) return end({ reason: 'PROVIDER_ERROR', message: found.failure.message, providerCode: '' })
  const outcome = readCallback(found.value, handle.provider, callback.parameters)
  if (outcome.kind !== 'code') {
    const error = callbackError(outcome)
    const failed = await end(error)
    // The provider's own words are the asking service's to tell; what looks like an attack ends here.
    const way = outcome.kind === 'error' ? returnTo(ports, consent, { error: error.reason }) : undefined
    return way ?? failed
  }
  if (consent.returnId !== '') return holdCode(ports, consent, outcome, finisher)
  const granted = await connectConsent(ports, handle, found.value, consent, outcome, finisher)
  return 'reason' in granted
    ? failedResult(consent, granted)
    : { kind: 'connected', status: statusOf(handle, consent, granted, ports.clock) }
}

/** Replayed, forged, too old, or no answer of ours at all: nothing is known that could end. */
function refuseUnknown(
  { audit, log }: ConsentPorts,
  { path, peer }: ConsentCallback,
  reason: 'NO_STATE' | 'UNKNOWN_STATE',
): ConsentResult {
  audit.recordDenial({ reason, method: 'callback', origin: { requestId: '', peer: peer ?? '' } })
  // Anybody can send these: the audit counts them, the log must not grow with them.
  log.debug('A callback was refused', { path, reason })
  return { kind: 'unknown' }
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
