import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Secret } from '../../secret.ts'
import type { ConsentRow, GrantedConsent } from '../../store/consent-rows.ts'
import type { ConnectionFacts } from '../../store/rows.ts'
import { grantStored } from '../audit/state-audit.ts'
import type { Connection } from '../connection.ts'
import { endpointOriginsOf } from '../endpoint-origins.ts'
import { type ProviderHandle, tokenOriginOf } from '../providers.ts'
import { sendRevocation } from '../revocation/request.ts'
import { completion, identification } from './audit.ts'
import type { ConsentError } from './flow.ts'
import { canVerify, verifiedFacts, withFacts } from './grant-facts.ts'
import { firstRefresh, newGrant } from './new-grant.ts'
import type { Finisher } from './outcome.ts'
import type { ConsentPorts } from './ports.ts'
import { verifierContext } from './start.ts'

/**
 * Exchanges the code and stores the grant, by which the consent is completed, in one transaction with the records of
 * both; on any refusal the former grant stays as it was and the consent is not ended.
 */
export async function connectGrant(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  callback: { readonly code: Secret; readonly attributes: Readonly<Record<string, string>> },
  finisher: Finisher,
): Promise<Connection | ConsentError> {
  // Trouble with the store shows before the code is spent.
  await ports.connections.load(consent)
  const sentMonotonic = ports.clock.monotonic()
  const result = await exchange(ports, handle, consent, callback)
  if (!result.ok) {
    return {
      reason: 'EXCHANGE_FAILED',
      message: `the code could not be exchanged: ${result.failure.message}`,
      providerCode: result.failure.providerCode,
    }
  }
  const answer = { ...result.value, attributes: { ...callback.attributes, ...result.value.attributes } }
  const existing = await ports.connections.load(consent)
  const verifyFirst = mustVerifyFirst(handle, definition, consent, answer, existing)
  const verifiedFirst = verifyFirst ? await verifiedFacts(handle, definition, consent, answer) : undefined
  const complete = withFacts(answer, verifiedFirst)

  const refusal =
    verifyFirst && verifiedFirst === undefined ? unverified : refusalOf(handle, consent, complete, existing)
  if (refusal !== undefined) {
    await abandon(ports, handle, definition, consent, complete)
    return refusal
  }
  const stored = await store(ports, handle, definition, consent, complete, existing, finisher)
  if ('reason' in stored) {
    await abandon(ports, handle, definition, consent, complete)
    return stored
  }
  const connection = ports.connections.put(stored, sentMonotonic)
  return verifiedFirst === undefined
    ? enrich(ports, handle, definition, consent, connection, complete, finisher)
    : connection
}

async function exchange(
  ports: ConsentPorts,
  { client }: ProviderHandle,
  consent: ConsentRow,
  { code, attributes }: { readonly code: Secret; readonly attributes: Readonly<Record<string, string>> },
) {
  const { sealedVerifier, redirectUri = '', variables } = consent
  const codeVerifier = sealedVerifier && ports.keyring.open(sealedVerifier, verifierContext(consent))
  return client.exchange({ code, redirectUri, codeVerifier, variables, attributes })
}

/** Nobody has the tokens: they are revoked, by way of the store if it can be written. */
async function abandon(
  { revocations, log }: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  answer: TokenAnswer,
): Promise<void> {
  const { provider, account, variables } = consent
  const { providerAccountId, attributes } = answer
  const tokenOrigin = tokenOriginOf(handle, definition, { ...answer, variables })
  const { clientFingerprint } = handle
  const place = { id: consent.id, grantEpoch: 0, provider, account, tokenOrigin, clientFingerprint }
  const endpointOrigins = endpointOriginsOf(handle, definition, { ...answer, variables })
  const grant = { ...place, endpointOrigins, providerAccountId, variables, attributes }
  try {
    await revocations.abandon(grant, answer)
  } catch (error) {
    log.error('Could not file the tokens of a refused consent; they are revoked without', { provider, error })
    const { revoke } = definition.operations
    if (revoke?.revokes !== 'account') await sendRevocation(handle, grant, answer, revoke)
  }
}

/** Facts that decide about the consent itself have to be known before it is stored. */
function mustVerifyFirst(
  { provider }: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  answer: TokenAnswer,
  existing: Connection | null,
): boolean {
  if (!canVerify(definition, consent, answer)) return false
  const yields = definition.operations.verify?.yields
  const account =
    existing?.row.providerAccountId && answer.providerAccountId === '' && yields?.provider_account_id
  const scopes = provider.missingScopes === 'refuse' && answer.scopes === undefined && yields?.scope
  return Boolean(account) || Boolean(scopes)
}

function refusalOf(
  { provider }: ProviderHandle,
  consent: ConsentRow,
  answer: TokenAnswer,
  existing: Connection | null,
): ConsentError | undefined {
  const before = existing?.row.providerAccountId ?? ''
  const changed = before !== '' && answer.providerAccountId !== '' && before !== answer.providerAccountId
  if (changed && !consent.allowAccountChange) {
    return {
      reason: 'ACCOUNT_CHANGED',
      message: `this connection belongs to ${before} at the provider, and ${answer.providerAccountId} consented`,
      providerCode: '',
    }
  }
  const missing = consent.scopes.filter(scope => !(answer.scopes ?? consent.scopes).includes(scope))
  if (provider.missingScopes === 'refuse' && missing.length > 0) {
    return { reason: 'SCOPES_MISSING', message: `not granted: ${missing.join(' ')}`, providerCode: '' }
  }
  return undefined
}

async function store(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  answer: TokenAnswer,
  existing: Connection | null,
  finisher: Finisher,
) {
  const requestedScopes = consent.scopes
  const grant = newGrant(ports, handle, definition, { ...consent, requestedScopes }, existing, answer)
  const entry = grantStored(ports.audit, grant, 'CONSENT')
  const completed: GrantedConsent = {
    id: consent.id,
    outcome: { state: 'COMPLETED', finishedAt: ports.clock.now() },
    entry: ports.audit.entry(completion(consent, grant, finisher)),
  }
  try {
    const stored = await ports.store.saveGrant(grant, entry, completed)
    return stored ?? superseded
  } catch (error) {
    ports.log.error('Could not store a new grant', { provider: consent.provider, error })
    return notStored
  }
}

const unverified: ConsentError = {
  reason: 'PROVIDER_ERROR',
  message: 'the provider did not say which account and scopes these are, so nothing was changed; try again',
  providerCode: '',
}
const superseded: ConsentError = {
  reason: 'SUPERSEDED',
  message: 'another consent for the same connection finished first',
  providerCode: '',
}
const notStored: ConsentError = {
  reason: 'NOT_STORED',
  message: 'the broker could not store the grant; look at its log, then connect again',
  providerCode: '',
}

/** Asks once for what the answer lacked; not knowing is fine, nor does it end the consent if that cannot be stored. */
async function enrich(
  ports: ConsentPorts,
  handle: ProviderHandle,
  definition: Definition,
  consent: ConsentRow,
  connection: Connection,
  answer: TokenAnswer,
  finisher: Finisher,
): Promise<Connection> {
  const yields = definition.operations.verify?.yields ?? {}
  const lacks =
    (yields.provider_account_id && answer.providerAccountId === '') ||
    (yields.name && answer.providerAccountName === '') ||
    (yields.scope && answer.scopes === undefined) ||
    (yields.expires && answer.expiresAt === undefined)
  const facts = lacks ? await verifiedFacts(handle, definition, consent, answer) : undefined
  if (facts === undefined) return connection
  const known = withFacts(answer, facts)
  const { id, grantEpoch, counter, refreshExpiresAt } = connection.row
  const update: ConnectionFacts = {
    providerAccountId: known.providerAccountId,
    providerAccountName: known.providerAccountName,
    grantedScopes: known.scopes,
    expiresAt: known.expiresAt,
    expiry: known.expiry,
    nextRefreshAt: firstRefresh(ports, definition, { ...known, refreshExpiresAt }, ports.clock.now()) ?? null,
  }
  const learned = { providerAccountId: known.providerAccountId, grantedScopes: known.scopes }
  const entry = ports.audit.entry(identification(consent, connection.row, learned, finisher))
  const stored = await ports.store
    .enrichConnection({ id, grantEpoch, counter }, update, entry)
    .catch((error: unknown) => {
      ports.log.warn('Could not store what the provider tells of a new grant', {
        provider: consent.provider,
        error,
      })
      return undefined
    })
  return stored === undefined ? connection : ports.connections.put(stored)
}
