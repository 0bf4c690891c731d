import type { Definition } from '../providers/definition.ts'
import type { ConnectionRow } from '../store/rows.ts'
import { type EndpointValues, originOfEndpoint, type ProviderHandle } from './providers.ts'

/** A grant, and where its tokens may be sent. */
type PinnedGrant = EndpointValues & Pick<ConnectionRow, 'tokenOrigin' | 'endpointOrigins'>

/**
 * Origins of the endpoints that take a grant's tokens beside the token endpoint: for revocation and verification.
 * Sorted, each once; none for what the definition lacks. Kept with the grant that is made by this definition.
 */
export function endpointOriginsOf(
  handle: ProviderHandle,
  { operations: { revoke, verify } }: Definition,
  values: EndpointValues,
): string[] {
  const origins = [revoke?.url, verify?.url].map(url => originOfEndpoint(handle, url, values))
  return [...new Set(origins)].filter(origin => origin !== '').sort()
}

/** Whether tokens of a grant may be sent to that endpoint: its origin is the token endpoint's, or was kept. */
export function maySendTo(handle: ProviderHandle, url: string, grant: PinnedGrant): boolean {
  return isKept(grant, originOfEndpoint(handle, url, grant))
}

/** Whether any endpoint of the definition is where tokens of the grant may not be sent. */
export function haveEndpointsMoved(
  handle: ProviderHandle,
  definition: Definition,
  grant: PinnedGrant,
): boolean {
  return !endpointOriginsOf(handle, definition, grant).every(origin => isKept(grant, origin))
}

function isKept({ tokenOrigin, endpointOrigins = [] }: PinnedGrant, origin: string): boolean {
  return origin !== '' && (origin === tokenOrigin || endpointOrigins.includes(origin))
}
