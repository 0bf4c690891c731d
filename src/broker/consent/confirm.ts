import { timingSafeEqual } from 'node:crypto'
import type { ConsentRow } from '../../store/consent-rows.ts'
import { UnreadableError } from '../../store/keyring.ts'
import { guard } from '../connections.ts'
import { invalidRequest } from '../errors.ts'
import type { Consent, ConsentConfirmation } from './consent.ts'
import type { ConsentError } from './flow.ts'
import { type HeldCode, openHeldCode } from './hold.ts'
import { consentNotFound, EXCHANGE_MS, getConsent, hashOf } from './link.ts'
import { connectConsent, endConsent, expireConsent } from './outcome.ts'
import type { ConsentPorts } from './ports.ts'

/**
 * Exchanges a held code once the service that asked has confirmed its own logged-in user. Whatever does not fit (the
 * caller, the user, the receipt) destroys the code: there is no second guess.
 *
 * A consent that is not held any more is answered as it is to whoever created it, so that the call can be repeated.
 */
export async function completeConsent(
  ports: ConsentPorts,
  confirmation: ConsentConfirmation,
): Promise<Consent> {
  const { store, clock } = ports
  const { consentId } = confirmation
  const now = clock.now()
  const consent = await guard(store.takeHeldConsent(consentId, now + EXCHANGE_MS))
  if (consent === undefined) return answerAgain(ports, confirmation)
  await guard(
    now < consent.expiresAt ? finish(ports, consent, confirmation) : expireConsent(ports, consent, now),
  )
  return getConsent(ports, consentId)
}

async function finish(
  ports: ConsentPorts,
  consent: ConsentRow,
  confirmation: ConsentConfirmation,
): Promise<void> {
  const { caller } = confirmation
  const ready = refusalOf(consent, confirmation) ?? (await prepare(ports, consent))
  if ('reason' in ready) return endConsent(ports, consent, ready, { caller })
  await connectConsent(ports, ready.handle, ready.definition, consent, ready.held, { caller })
}

/** All that the exchange needs; nothing was sent if it is not there. */
async function prepare({ providers, keyring }: ConsentPorts, consent: ConsentRow) {
  if (!providers.has(consent.provider)) {
    return failure('PROVIDER_ERROR', `${consent.provider} is not configured any more`)
  }
  const handle = providers.get(consent.provider)
  const found = await handle.client.definition()
  if (!found.ok) return failure('PROVIDER_ERROR', found.failure.message)
  const held = open()
  return held === undefined
    ? failure('EXCHANGE_FAILED', 'the held code cannot be opened: its bytes or the key have changed')
    : { handle, definition: found.value, held }

  function open(): HeldCode | undefined {
    try {
      return openHeldCode(keyring, consent)
    } catch (error) {
      if (error instanceof UnreadableError) return undefined
      throw error
    }
  }
}

function refusalOf(
  consent: ConsentRow,
  { caller, subject, receipt }: ConsentConfirmation,
): ConsentError | undefined {
  if (caller.name !== consent.createdBy) {
    return notConfirmed('another caller than the one that created the link tried to complete the consent')
  }
  if (!isSame(consent.receiptHash ?? '', hashOf(receipt))) {
    return notConfirmed('the receipt is not the one that the browser was given')
  }
  return subject === consent.subject
    ? undefined
    : notConfirmed('another user came back than the one that the link was created for')
}

/** To others than its creator it does not exist, whatever its state. */
async function answerAgain(ports: ConsentPorts, confirmation: ConsentConfirmation): Promise<Consent> {
  const { consentId, caller, subject } = confirmation
  const consent = await guard(ports.store.findConsent(consentId))
  if (consent?.createdBy !== caller.name) throw consentNotFound()
  if (consent.returnId === '') {
    const description = 'names a consent without return_id, which completes by itself; ask GetConsent'
    throw invalidRequest([{ field: 'consent_id', description }])
  }
  if (consent.subject !== subject) throw consentNotFound()
  return getConsent(ports, consentId)
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
}

function notConfirmed(what: string): ConsentError {
  return failure('NOT_CONFIRMED', `${what}, so the code was destroyed`)
}

function failure(reason: ConsentError['reason'], message: string): ConsentError {
  return { reason, message, providerCode: '' }
}
