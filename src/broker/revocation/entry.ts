import { type Keyring, type SealContext, UnreadableError } from '../../store/keyring.ts'
import type { ConnectionRow, RevocationRow, RevocationTokens } from '../../store/rows.ts'
import { requireUndamaged } from '../connection.ts'
import type { RevocableTokens } from './request.ts'

/** A provider that did not confirm within a day keeps tokens that die of themselves; we stop asking. */
const LIFE_MS = 86_400_000
/** How long after a try began, in milliseconds, another is made for a process that died over it. Longer than any request. */
export const SECOND_TRY_MS = 90_000

/** The grant whose tokens are to be revoked, whether or not a connection ever had it. */
export type RevokedGrant = Pick<
  ConnectionRow,
  | 'id'
  | 'provider'
  | 'account'
  | 'grantEpoch'
  | 'tokenOrigin'
  | 'endpointOrigins'
  | 'clientFingerprint'
  | 'providerAccountId'
  | 'variables'
  | 'attributes'
>

/** The row of a revocation with its tokens sealed for it. */
export function revocationEntry(
  keyring: Keyring,
  { id, now }: { readonly id: string; readonly now: number },
  grant: RevokedGrant,
  tokens: RevocableTokens,
): RevocationRow {
  const { provider, account, grantEpoch, tokenOrigin, endpointOrigins, clientFingerprint } = grant
  const { providerAccountId, variables, attributes } = grant
  const entry: RevocationRow = {
    id,
    connectionId: grant.id,
    provider,
    account,
    grantEpoch,
    tokenOrigin,
    endpointOrigins,
    clientFingerprint,
    providerAccountId,
    variables,
    attributes,
    createdAt: now,
    expiresAt: now + LIFE_MS,
    nextTryAt: now + SECOND_TRY_MS,
    tries: 0,
  }
  return { ...entry, ...sealTokens(keyring, entry, tokens) }
}

/** Tokens sealed for an entry; what is absent stays absent. */
export function sealTokens(
  keyring: Keyring,
  entry: RevocationRow,
  { accessToken, refreshToken }: RevocableTokens,
): RevocationTokens {
  return {
    sealedAccessToken: accessToken && keyring.seal(accessToken, contextOf(entry, 'access_token')),
    sealedRefreshToken: refreshToken && keyring.seal(refreshToken, contextOf(entry, 'refresh_token')),
  }
}

/** The tokens of an entry; `undefined` if the stored bytes do not open. */
export function openEntry(keyring: Keyring, entry: RevocationRow): RevocableTokens | undefined {
  const { sealedAccessToken, sealedRefreshToken } = entry
  try {
    requireUndamaged(entry)
    return {
      accessToken: sealedAccessToken && keyring.open(sealedAccessToken, contextOf(entry, 'access_token')),
      refreshToken: sealedRefreshToken && keyring.open(sealedRefreshToken, contextOf(entry, 'refresh_token')),
    }
  } catch (error) {
    if (error instanceof UnreadableError) return undefined
    throw error
  }
}

function contextOf(entry: RevocationRow, column: string): SealContext {
  const { id, grantEpoch, tokenOrigin } = entry
  return { table: 'revocations', column, id, grantEpoch, origin: tokenOrigin }
}
