import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Failure } from '../../oauth/failure.ts'
import type { Definition } from '../../providers/definition.ts'
import type { ImportRequest } from '../broker.ts'
import { canVerify, withFacts } from '../consent/grant-facts.ts'
import { type BrokerError, invalidRequest } from '../errors.ts'
import type { ProviderHandle } from '../providers.ts'
import { providerSilent, tokenRefused } from './refusals.ts'

/**
 * Refuses a check that cannot be made, rather than to leave it out.
 *
 * @param answer the grant; `undefined` before a migration
 * @throws BrokerError `INVALID_REQUEST`
 */
export function requireVerifiable(
  { provider }: ProviderHandle,
  definition: Definition,
  request: ImportRequest,
  answer: TokenAnswer | undefined,
): void {
  const operation = definition.operations.verify
  const possible =
    answer === undefined
      ? operation?.url !== undefined
      : canVerify(definition, { scopes: scopesOf(request, provider.scopes) }, answer)
  if (possible) return
  throw notVerifiable(
    operation?.url === undefined
      ? 'the definition has no verify operation'
      : `the provider answers that only to the scope ${operation.needs_scope}`,
  )
}

/**
 * Asks the provider about the access token, and takes over what it tells beside.
 *
 * @throws BrokerError `REAUTH_REQUIRED` if it refuses the token, `PROVIDER_UNAVAILABLE` if it does not say,
 *   `INVALID_REQUEST` if the token belongs to another account than the request says
 */
export async function verifyImported(
  { client }: ProviderHandle,
  request: ImportRequest,
  answer: TokenAnswer,
): Promise<TokenAnswer> {
  const { accessToken, attributes, providerAccountId } = answer
  const { variables } = request
  const result = await client.verify({ accessToken, variables, attributes, providerAccountId })
  if (!result.ok) throw verificationError(request, result.failure)
  const told = result.value.providerAccountId ?? ''
  if (told !== '' && request.providerAccountId !== '' && told !== request.providerAccountId) {
    const description = `the provider says that the token belongs to ${told}`
    throw invalidRequest([{ field: 'provider_account_id', description }])
  }
  return withFacts(answer, result.value)
}

function verificationError(request: ImportRequest, failure: Failure): BrokerError {
  switch (failure.class) {
    case 'reauthorize':
      return tokenRefused(request, failure.providerCode)
    case 'unsupported':
      return notVerifiable('the provider does not answer that to this token')
    default:
      return providerSilent(request, failure)
  }
}

function notVerifiable(why: string): BrokerError {
  return invalidRequest([{ field: 'check', description: `VERIFY is not possible: ${why}` }])
}

function scopesOf({ scopes }: ImportRequest, configured: readonly string[]): readonly string[] {
  return scopes.length > 0 ? scopes : configured
}
