import type { Secret } from '../secret.ts'

/** What holds for one connection and may stand in a definition's templates. */
export interface ConnectionValues {
  readonly variables: Readonly<Record<string, string>>
  readonly attributes?: Readonly<Record<string, string>>
  readonly providerAccountId?: string
}

/** What a refresh starts from. */
export interface RefreshInput extends ConnectionValues {
  /** Absent for `client_credentials` and `exchange_access_token`. */
  readonly refreshToken?: Secret
  readonly accessToken?: Secret
  readonly scopes: readonly string[]
}

/** What is revoked. */
export interface RevokeInput extends ConnectionValues {
  readonly token?: Secret
  readonly hint: 'access_token' | 'refresh_token'
}
