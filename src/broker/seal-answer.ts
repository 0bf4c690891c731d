import type { TokenAnswer } from '../oauth/answer.ts'
import type { Secret } from '../secret.ts'
import type { Keyring } from '../store/keyring.ts'
import type { ConnectionRow, TokenFacts } from '../store/rows.ts'
import { sealContext } from './connection.ts'
import type { Random } from './ports.ts'

/** Bytes of randomness in a version: unguessable is not needed, unique is. */
const VERSION_BYTES = 12

/**
 * Seals the tokens of an answer for a connection and gives the access token its name.
 *
 * @param clientSecret with which they came; absent for a client without one
 */
export function sealAnswer(
  place: Pick<ConnectionRow, 'id' | 'grantEpoch' | 'tokenOrigin'>,
  answer: TokenAnswer,
  clientSecret: Secret | undefined,
  keyring: Keyring,
  random: Random,
): TokenFacts {
  return {
    // A leading letter keeps it from looking like an option on a command line.
    version: `v${random.token(VERSION_BYTES)}`,
    sealedAccessToken: keyring.seal(answer.accessToken, sealContext(place, 'access_token')),
    sealedRefreshToken:
      answer.refreshToken && keyring.seal(answer.refreshToken, sealContext(place, 'refresh_token')),
    tokenType: answer.tokenType,
    obtainedAt: answer.sentAt,
    expiresAt: answer.expiresAt,
    expiry: answer.expiry,
    refreshExpiresAt: answer.refreshExpiresAt,
    grantedScopes: answer.scopes,
    providerAccountId: answer.providerAccountId,
    providerAccountName: answer.providerAccountName,
    attributes: answer.attributes,
    clientSecretFingerprint: clientSecret && keyring.fingerprint(clientSecret),
  }
}
