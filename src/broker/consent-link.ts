import { createHash } from 'node:crypto'
import { Secret } from '../secret.ts'
import type { ConsentRow } from '../store/rows.ts'
import type { Consent, ConsentLink, ConsentLinkRequest } from './broker.ts'
import { guard } from './connections.ts'
import type { ConsentFailure } from './consent-flow.ts'
import type { ConsentPorts } from './consent-ports.ts'
import { BrokerError } from './errors.ts'
import { checkVariables, requireGrants } from './grant-request.ts'
import { statusOf } from './status.ts'

/** How long a link, and then the browser's way to the provider and back, may take each. */
export const CONSENT_LIFE_MS = 600_000
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
  if (request.returnId !== '') throw new BrokerError('NOT_IMPLEMENTED', 'return_id is not supported yet')
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
  await guard(ports.store.createConsent(consent))
  return {
    url: new Secret(`${ports.publicUrl}/connect/${link.expose()}`),
    consentId: consent.id,
    expiresAt: consent.expiresAt,
  }
}

/** How a consent went so far. */
export async function getConsent(ports: ConsentPorts, consentId: string): Promise<Consent> {
  const row = await guard(ports.store.findConsent(consentId))
  if (row === undefined) {
    throw new BrokerError('CONSENT_NOT_FOUND', 'no such consent; outcomes are kept for 24 hours')
  }
  const handle = ports.providers.has(row.provider) ? ports.providers.get(row.provider) : undefined
  const expired = row.state === 'PENDING' && ports.clock.now() >= row.expiresAt
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
