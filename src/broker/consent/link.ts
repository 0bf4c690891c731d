import { createHash } from 'node:crypto'
import { Secret } from '../../secret.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import { guard } from '../connections.ts'
import { BrokerError, type FieldViolation, invalidRequest } from '../errors.ts'
import { statusOf } from '../status.ts'
import { consentFacts } from './audit.ts'
import type { Consent, ConsentLink, ConsentLinkRequest } from './consent.ts'
import type { ConsentFailure } from './flow.ts'
import { checkVariables, requireGrants } from './grant-request.ts'
import type { ConsentPorts } from './ports.ts'

/** How long a link, and then the browser's way to the provider and back, may take each. */
export const CONSENT_LIFE_MS = 600_000
/**
 * How long the code outlives its confirmation, or the browser's return, at most: discovery takes up to a minute, the
 * exchange and a question for facts a minute and a half each, half a minute of it in the queue. Only a crash in between
 * lets it live that long.
 */
export const EXCHANGE_MS = 300_000
/** Bytes of randomness in links and states: 256 bits. */
export const CONSENT_TOKEN_BYTES = 32
/** How long outcomes are kept. */
const OUTCOME_KEPT_MS = 86_400_000

/** Lower-case hex SHA-256: what is stored of links, states and cookies. */
export function hashOf(secret: Secret): string {
  return createHash('sha256').update(secret.expose()).digest('hex')
}

/** Creates a single-use link for one connection. */
export async function createConsentLink(
  ports: ConsentPorts,
  request: ConsentLinkRequest,
): Promise<ConsentLink> {
  const handle = ports.providers.get(request.provider)
  requireGrants(handle, { act: 'consent', noun: 'consent' })
  checkVariables(handle, request.variables)
  checkReturn(ports, request)
  const now = ports.clock.now()
  const link = new Secret(ports.random.token(CONSENT_TOKEN_BYTES))
  const consent: ConsentRow = {
    id: ports.random.token(16),
    linkHash: hashOf(link),
    provider: request.provider,
    account: request.account,
    scopes: request.scopes.length > 0 ? request.scopes : handle.provider.scopes,
    variables: request.variables,
    subject: request.subject,
    returnId: request.returnId,
    allowAccountChange: request.allowAccountChange,
    createdBy: request.caller.name,
    createdAt: now,
    expiresAt: now + CONSENT_LIFE_MS,
    state: 'PENDING',
  }
  await guard(ports.store.pruneConsents(now - OUTCOME_KEPT_MS))
  const entry = ports.audit.entry({
    ...consentFacts(consent),
    event: 'CONSENT_LINK_CREATED',
    caller: request.caller,
  })
  await guard(ports.store.createConsent(consent, entry))
  return {
    url: new Secret(`${ports.publicUrl}/connect/${link.expose()}`),
    consentId: consent.id,
    expiresAt: consent.expiresAt,
  }
}

/**
 * Two steps need a place to go and a user to compare; a user to compare needs two steps, or nobody would compare.
 *
 * @throws BrokerError `INVALID_REQUEST`
 */
function checkReturn({ returnUrls }: ConsentPorts, { returnId, subject }: ConsentLinkRequest): void {
  const violations: FieldViolation[] = []
  if (returnId !== '' && !returnUrls.has(returnId)) {
    const description = 'is no id of return_urls in the configuration of the broker'
    violations.push({ field: 'return_id', description })
  }
  if (returnId !== '' && subject === '') {
    const description = 'must name the user who is logged in where return_id leads'
    violations.push({ field: 'subject', description })
  }
  if (returnId === '' && subject !== '') {
    const description = 'needs a return_id; without one nobody compares who comes back'
    violations.push({ field: 'subject', description })
  }
  if (violations.length > 0) throw invalidRequest(violations)
}

/** There is no such consent, or none that concerns whoever asks. */
export function consentNotFound(): BrokerError {
  return new BrokerError('CONSENT_NOT_FOUND', 'no such consent; outcomes are kept for 24 hours')
}

/** How a consent went so far. */
export async function getConsent(ports: ConsentPorts, consentId: string): Promise<Consent> {
  const row = await guard(ports.store.findConsent(consentId))
  if (row === undefined) {
    throw consentNotFound()
  }
  const handle = ports.providers.has(row.provider) ? ports.providers.get(row.provider) : undefined
  const expired = isOver(row, ports.clock.now())
  const status =
    row.state === 'COMPLETED'
      ? statusOf(handle, row, await ports.connections.load(row), ports.clock)
      : undefined
  return {
    consentId: row.id,
    provider: row.provider,
    account: row.account,
    state: expired ? 'EXPIRED' : row.state,
    error: row.errorReason
      ? {
          reason: row.errorReason as ConsentFailure,
          message: row.errorMessage ?? '',
          providerCode: row.errorProviderCode ?? '',
        }
      : undefined,
    status,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
  }
}

/** Whether nobody will finish it any more, though nothing says so yet. */
function isOver({ state, startedAt, stateHash, expiresAt }: ConsentRow, now: number): boolean {
  if (state !== 'PENDING') return state === 'HELD' && now >= expiresAt
  const isExchanged = startedAt !== undefined && stateHash === undefined
  return now >= expiresAt + (isExchanged ? EXCHANGE_MS : 0)
}
