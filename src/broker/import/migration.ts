import type { TokenAnswer } from '../../oauth/answer.ts'
import type { ImportRequest } from '../broker.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle } from '../providers.ts'
import { refreshError } from '../refresh/refresh-error.ts'
import { providerSilent, tokenRefused } from './refusals.ts'

/**
 * Has the provider turn a token of a former kind into a grant. If the grant cannot be stored afterwards, it is not
 * revoked: that could end the old token too, with which the import is repeated.
 *
 * @throws BrokerError `REAUTH_REQUIRED` if the provider refuses the token, `PROVIDER_MISCONFIGURED` if it
 *   refuses our client, `CONNECTION_MISCONFIGURED` if it refuses the parameters, else `PROVIDER_UNAVAILABLE`
 */
export async function migrateToken(
  { clock }: { readonly clock: Clock },
  handle: ProviderHandle,
  request: ImportRequest,
): Promise<TokenAnswer> {
  const { credential, variables, attributes, providerAccountId } = request
  const result = await handle.client.migrate({
    accessToken: credential.token,
    variables,
    attributes,
    providerAccountId,
  })
  if (result.ok) return withRequested(result.value, request)
  const { failure } = result
  switch (failure.class) {
    case 'reauthorize':
      throw tokenRefused(request, failure.providerCode)
    case 'client':
      throw refreshError(handle, request, { reason: 'PROVIDER_MISCONFIGURED' }, clock.now())
    case 'connection':
      throw refreshError(handle, request, { reason: 'CONNECTION_MISCONFIGURED' }, clock.now())
    default:
      throw providerSilent(request, failure)
  }
}

/** What the provider answers counts; what it leaves open is as the request says. */
function withRequested(answer: TokenAnswer, { scopes, providerAccountId, attributes }: ImportRequest) {
  return {
    ...answer,
    scopes: answer.scopes ?? (scopes.length > 0 ? scopes : undefined),
    providerAccountId: answer.providerAccountId || providerAccountId,
    attributes: { ...attributes, ...answer.attributes },
  }
}
