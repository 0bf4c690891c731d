import type { Definition } from '../../providers/definition.ts'
import type { AccessToken, Presentation } from '../broker.ts'
import type { Connection, OpenTokens } from '../connection.ts'
import { fillVariables, type ProviderHandle } from '../providers.ts'
import { rotatesNotBefore } from './rotation.ts'

/** The answer for a connection's token. */
export function accessTokenOf(handle: ProviderHandle, { row }: Connection, tokens: OpenTokens): AccessToken {
  const values = { ...row.attributes, ...handle.provider.variables, ...row.variables }
  const definition = handle.client.written
  return {
    accessToken: tokens.accessToken,
    tokenType: row.tokenType,
    version: row.version,
    expiresAt: row.expiresAt,
    expiry: row.expiry,
    scopes: row.grantedScopes ?? row.requestedScopes,
    source: 'OAUTH',
    providerAccountId: row.providerAccountId,
    providerAccountName: row.providerAccountName,
    presentation: presentationOf(definition, values),
    attributes: row.attributes,
    rotatesNotBefore: rotatesNotBefore(handle, row),
    degraded: row.lastError && {
      reason: row.lastError.reason,
      since: row.failingSince ?? row.lastError.at,
    },
  }
}

/** The answer for a provider's static token. */
export function staticTokenOf(
  handle: ProviderHandle,
  token: NonNullable<ProviderHandle['staticToken']>,
): AccessToken {
  return {
    accessToken: token.accessToken,
    tokenType: 'Bearer',
    version: token.version,
    expiry: 'UNKNOWN',
    scopes: handle.provider.scopes,
    source: 'STATIC',
    providerAccountId: '',
    providerAccountName: '',
    presentation: presentationOf(handle.client.written, handle.provider.variables),
    attributes: {},
  }
}

function presentationOf({ present }: Definition, values: Readonly<Record<string, string>>): Presentation {
  const headers = Object.entries(present.headers).map(([name, value]) => [name, fillVariables(value, values)])
  return {
    headerName: present.header,
    valuePrefix: present.prefix,
    headers: Object.fromEntries(headers),
    baseUrl: present.base_url === undefined ? '' : fillVariables(present.base_url, values),
  }
}
