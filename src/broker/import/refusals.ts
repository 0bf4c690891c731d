import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Failure } from '../../oauth/failure.ts'
import type { ConnectionName, ImportRequest } from '../broker.ts'
import { BrokerError, type FieldViolation, invalidRequest } from '../errors.ts'
import type { ProviderHandle } from '../providers.ts'
import { connectCommand, requireScopes } from '../tokens/token-errors.ts'

/** What to wait for a provider that does not say itself. */
const RETRY_AFTER_MS = 5_000

/**
 * Refuses tokens that cannot be what they are said to be, or of which nothing could come.
 *
 * @throws BrokerError `INVALID_REQUEST`
 */
export function checkCredential({ client }: ProviderHandle, request: ImportRequest, now: number): void {
  const { credential, refreshToken, expiresAt, refreshExpiresAt, check } = request
  const { operations, refresh } = client.written
  const migrates = credential.kind === 'migration_token'
  const renewable = migrates || refreshToken !== undefined || refresh.mode !== 'refresh_token'
  const violations: FieldViolation[] = []
  const refuse = (field: string, description: string) => violations.push({ field, description })
  if (migrates && operations.migrate === undefined)
    refuse('migration_token', 'the definition has no migrate operation; import an access_token')
  if (!renewable && expiresAt !== undefined && expiresAt <= now)
    refuse('expire_time', 'is in the past, and there is no refresh_token to renew the access token with')
  if (refreshExpiresAt !== undefined && refreshExpiresAt <= now)
    refuse('refresh_expire_time', 'is in the past; leave the refresh token out or consent again')
  if (check === 'REFRESH' && !renewable) refuse('check', 'REFRESH needs a refresh_token')
  if (violations.length > 0) throw invalidRequest(violations)
}

/** There is another grant already. */
export function connectionExists(name: ConnectionName): BrokerError {
  const { provider, account } = name
  const whose = account === '' ? 'the system-level credential' : 'this account'
  return new BrokerError('CONNECTION_EXISTS', `${whose} of ${provider} is connected with another grant`, {
    metadata: { provider, account },
    help: 'Import with replace (--replace) to give up the stored grant for this one.',
  })
}

/** The provider refuses the token that was to be imported. */
export function tokenRefused(name: ConnectionName, providerCode: string): BrokerError {
  const { provider, account } = name
  return new BrokerError('REAUTH_REQUIRED', `${provider} refuses this token, so nothing was stored`, {
    metadata: { provider, account, provider_code: providerCode },
    help: `If its refresh token may still work, import with check REFRESH; else consent again: ${connectCommand(name)}`,
  })
}

/** The provider did not say what was asked; an import can be repeated. */
export function providerSilent(name: ConnectionName, failure: Failure): BrokerError {
  const { provider, account } = name
  return new BrokerError(
    'PROVIDER_UNAVAILABLE',
    `${provider} gave no usable answer, so nothing was stored: ${failure.message}`,
    { metadata: { provider, account }, retryAfterMs: failure.retryAfterMs ?? RETRY_AFTER_MS },
  )
}

/**
 * Where the configuration refuses a consent that grants less than it asks for, it refuses such an import too.
 *
 * @throws BrokerError `SCOPE_NOT_GRANTED`
 */
export function requireAllScopes(handle: ProviderHandle, name: ConnectionName, answer: TokenAnswer): void {
  if (handle.provider.missingScopes !== 'refuse' || answer.scopes === undefined) return
  const { scopes } = handle.provider
  requireScopes(handle, { ...name, grantedScopes: answer.scopes, requestedScopes: scopes }, scopes)
}
