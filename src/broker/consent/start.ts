import { authorizationUrl } from '../../oauth/authorization.ts'
import { Secret } from '../../secret.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import type { SealContext } from '../../store/keyring.ts'
import { fillVariables } from '../providers.ts'
import type { ConsentDeparture, ConsentView } from './flow.ts'
import { CONSENT_LIFE_MS, CONSENT_TOKEN_BYTES, hashOf } from './link.ts'
import type { ConsentPorts } from './ports.ts'

type Closed = { readonly kind: 'used' | 'expired' | 'unknown' }

/** What a code verifier is sealed for. */
export function verifierContext(consent: Pick<ConsentRow, 'id'>): SealContext {
  return { table: 'consents', column: 'verifier', id: consent.id, grantEpoch: 0, origin: '' }
}

/** What the link would connect; changes nothing, so that link scanners do no harm. */
export async function viewConsent(ports: ConsentPorts, link: Secret): Promise<ConsentView> {
  const consent = await openConsent(ports, link)
  if ('kind' in consent) return consent
  const handle = ports.providers.get(consent.provider)
  const found = await handle.client.definition()
  const url = found.ok ? found.value.authorize.url : undefined
  const existing = await ports.connections.load(consent)
  return {
    kind: 'ready',
    provider: consent.provider,
    definition: handle.client.written.id,
    account: consent.account,
    host: hostOf(fillVariables(url ?? '', { ...handle.provider.variables, ...consent.variables })),
    scopes: consent.scopes,
    createdBy: consent.createdBy,
    expiresAt: consent.expiresAt,
    returnHost: hostOf(ports.returnUrls.get(consent.returnId) ?? '') || undefined,
    replaces: existing
      ? {
          providerAccountId: existing.row.providerAccountId,
          providerAccountName: existing.row.providerAccountName,
        }
      : undefined,
  }
}

/** Uses the link up and says where the browser goes. */
export async function startConsent(
  ports: ConsentPorts,
  link: Secret,
  cookie: Secret,
): Promise<ConsentDeparture> {
  const consent = await openConsent(ports, link)
  if ('kind' in consent) return consent
  const { client, provider } = ports.providers.get(consent.provider)
  const found = await client.definition()
  if (!found.ok) return unavailable(found.failure.message)

  const state = new Secret(ports.random.token(CONSENT_TOKEN_BYTES))
  const pkce = found.value.authorize.pkce === 's256'
  // 43 characters of the verifier's alphabet (RFC 7636 section 4.1).
  const codeVerifier = pkce ? new Secret(ports.random.token(CONSENT_TOKEN_BYTES)) : undefined
  // The exchange has to name it in the very same words (RFC 6749 section 4.1.3).
  const redirectUri = found.value.authorize.redirect_alias ?? provider.redirectUri
  const { scopes, variables } = consent
  const url = await authorizationUrl(found.value, provider, {
    redirectUri,
    state,
    scopes,
    codeVerifier,
    variables,
  })
  if (url === undefined) return unavailable('the provider names no authorization endpoint')

  const now = ports.clock.now()
  const started = await ports.store.startConsent(hashOf(link), {
    now,
    expiresAt: now + CONSENT_LIFE_MS,
    stateHash: hashOf(state),
    cookieHash: hashOf(cookie),
    sealedVerifier: codeVerifier && ports.keyring.seal(codeVerifier, verifierContext(consent)),
    redirectUri,
  })
  if (started === undefined) return { kind: 'used' }
  return {
    kind: 'leave',
    provider: consent.provider,
    authorizationUrl: url,
    host: hostOf(url.expose()),
  }
}

async function openConsent(ports: ConsentPorts, link: Secret): Promise<ConsentRow | Closed> {
  const consent = await ports.store.findConsentByLink(hashOf(link))
  if (consent === undefined || !ports.providers.has(consent.provider)) return { kind: 'unknown' }
  if (consent.state !== 'PENDING' || consent.startedAt !== undefined) return { kind: 'used' }
  return ports.clock.now() < consent.expiresAt ? consent : { kind: 'expired' }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}

function unavailable(why: string): ConsentDeparture {
  return {
    kind: 'unavailable',
    error: { reason: 'PROVIDER_ERROR', message: `${why}; the link stays valid, try again`, providerCode: '' },
  }
}
