import type { CallbackOutcome } from '../../oauth/callback.ts'
import { Secret } from '../../secret.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import type { Keyring, SealContext } from '../../store/keyring.ts'
import { consentFacts } from './audit.ts'
import type { ConsentResult } from './flow.ts'
import { CONSENT_TOKEN_BYTES, hashOf } from './link.ts'
import { endConsent, type Finisher, failedResult } from './outcome.ts'
import type { ConsentPorts } from './ports.ts'
import { returnTo } from './return.ts'

/**
 * How long a code waits for the asking service, which has nothing to do but look at its own session. Many providers
 * let a code live for little longer.
 */
const HELD_LIFE_MS = 60_000

/** What a callback brought: the code, and the attributes beside it. */
export type HeldCode = Pick<CallbackOutcome & { readonly kind: 'code' }, 'code' | 'attributes'>

/**
 * Keeps the code, sealed, and sends the browser back to the service that asked. Nothing is exchanged: whose browser
 * this is, only that service can tell.
 */
export async function holdCode(
  ports: ConsentPorts,
  consent: ConsentRow,
  held: HeldCode,
  finisher: Finisher,
): Promise<ConsentResult> {
  const { store, keyring, clock, random, expiry, audit, log } = ports
  const receipt = new Secret(random.token(CONSENT_TOKEN_BYTES))
  const way = returnTo(ports, consent, { receipt })
  const { provider, account, returnId } = consent
  if (way === undefined) {
    const message = `the return URL "${returnId}" is not configured any more, so nobody could confirm this consent`
    const error = { reason: 'NOT_CONFIRMED', message, providerCode: '' } as const
    await endConsent(ports, consent, error, finisher)
    return failedResult(consent, error)
  }
  const expiresAt = clock.now() + HELD_LIFE_MS
  const isHeld = await store.holdConsent(
    consent.id,
    { expiresAt, receiptHash: hashOf(receipt), sealedCode: seal(keyring, held, consent) },
    audit.entry({ ...consentFacts(consent), ...finisher, event: 'CONSENT_HELD' }),
  )
  if (!isHeld) return { kind: 'unknown' }
  expiry.plan(expiresAt)
  log.info('A consent waits for the service that asked', { provider, account, createdBy: consent.createdBy })
  return way
}

/** @throws UnreadableError */
export function openHeldCode(keyring: Keyring, consent: ConsentRow): HeldCode {
  const { sealedCode } = consent
  if (sealedCode === undefined) throw new Error('the consent holds no code')
  const [code, attributes] = JSON.parse(keyring.open(sealedCode, codeContext(consent)).expose())
  return { code: new Secret(code), attributes }
}

function seal(keyring: Keyring, { code, attributes }: HeldCode, consent: ConsentRow): Uint8Array {
  return keyring.seal(new Secret(JSON.stringify([code.expose(), attributes])), codeContext(consent))
}

function codeContext({ id }: ConsentRow): SealContext {
  return { table: 'consents', column: 'code', id, grantEpoch: 0, origin: '' }
}
