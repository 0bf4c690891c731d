import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Failure } from '../../oauth/failure.ts'
import type { RevokeOperation } from '../../providers/definition.ts'
import type { Secret } from '../../secret.ts'
import type { ConnectionRow } from '../../store/rows.ts'
import type { Revocation } from '../broker.ts'
import type { ProviderHandle } from '../providers.ts'

/** Whose tokens they are, for the definition's templates. */
export type RevocationTarget = Pick<ConnectionRow, 'variables' | 'attributes' | 'providerAccountId'>

/** What a revocation can send. */
export interface RevocableTokens {
  readonly accessToken?: Secret
  readonly refreshToken?: Secret
}

/** How a revocation went; `needsLivingToken` where the access token that was sent may have been too old. */
export interface RevocationAnswer {
  readonly revocation: Revocation
  readonly needsLivingToken: boolean
}

/** Whom to ask: each request waits for its turn by itself, a refresh, too, where one is sent. */
type Asked = Pick<ProviderHandle, 'client'>

/** Sends what the definition wants revoked; the refresh token first, because it outlives the other. */
export async function sendRevocation(
  { client }: Asked,
  target: RevocationTarget,
  tokens: RevocableTokens,
  operation: RevokeOperation | undefined,
): Promise<RevocationAnswer> {
  if (operation?.url === undefined) return { revocation: 'UNSUPPORTED', needsLivingToken: false }
  const { variables, attributes, providerAccountId } = target
  for (const request of requestsOf(operation, tokens)) {
    const result = await client.revoke({ variables, attributes, providerAccountId, ...request })
    if (!result.ok) {
      const needsLivingToken = request.hint === 'access_token' && result.failure.class === 'ambiguous'
      return { revocation: ofFailure(result.failure), needsLivingToken }
    }
  }
  return { revocation: 'REVOKED', needsLivingToken: false }
}

/**
 * Renews tokens that are to be revoked at a provider which wants a living one for that.
 *
 * @returns what it answered; `dead` if there is nothing to renew with, or it is refused; `unknown` = not told now
 */
export async function revive(
  { client }: Asked,
  target: RevocationTarget,
  { accessToken, refreshToken }: RevocableTokens,
): Promise<TokenAnswer | 'dead' | 'unknown'> {
  if (refreshToken === undefined) return 'dead'
  const { variables, attributes, providerAccountId } = target
  const input = { accessToken, refreshToken, scopes: [], variables, attributes, providerAccountId }
  const result = await client.refresh(input)
  if (result.ok) return result.value
  return result.failure.class === 'reauthorize' ? 'dead' : 'unknown'
}

function requestsOf({ token }: RevokeOperation, { accessToken, refreshToken }: RevocableTokens) {
  const access = { token: accessToken, hint: 'access_token' } as const
  const refresh = { token: refreshToken, hint: 'refresh_token' } as const
  const wanted = { access: [access], refresh: [refresh], both: [refresh, access], account: [access] }[token]
  const present = wanted.filter(request => request.token !== undefined)
  // A grant without a refresh token still has an access token to give back.
  return present.length > 0 ? present : [access].filter(request => request.token !== undefined)
}

function ofFailure(failure: Failure): Revocation {
  return failure.class === 'unsupported' ? 'UNSUPPORTED' : 'PENDING'
}
