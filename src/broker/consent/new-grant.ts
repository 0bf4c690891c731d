import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { NewGrant } from '../../store/rows.ts'
import type { ConnectionName } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { endpointOriginsOf } from '../endpoint-origins.ts'
import type { Clock, Random } from '../ports.ts'
import { type ProviderHandle, tokenOriginOf } from '../providers.ts'
import { nextRefresh } from '../renewal/schedule.ts'
import { sealAnswer } from '../seal-answer.ts'

interface Ports {
  readonly keyring: Keyring
  readonly clock: Clock
  readonly random: Random
}

/** What a grant was asked for with, and for which connection. */
export interface GrantRequest extends ConnectionName {
  readonly requestedScopes: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

/**
 * The row of a grant that the provider has just issued: sealed for its connection and token endpoint, with the
 * lifetimes that the definition knows where the answer does not say.
 *
 * @param existing the connection that it replaces; `null` if there is none
 */
export function newGrant(
  ports: Ports,
  handle: ProviderHandle,
  definition: Definition,
  { provider, account, requestedScopes, variables }: GrantRequest,
  existing: Connection | null,
  answer: TokenAnswer,
): NewGrant {
  const now = ports.clock.now()
  const place = {
    id: existing?.row.id ?? ports.random.token(16),
    grantEpoch: (existing?.row.grantEpoch ?? 0) + 1,
    tokenOrigin: tokenOriginOf(handle, definition, { ...answer, variables }),
  }
  const { of: lifetime, kind } = definition.refresh.refresh_lifetime ?? {}
  const assumedEnd = lifetime === undefined ? undefined : answer.sentAt + lifetime
  const refreshExpiresAt = answer.refreshToken && (answer.refreshExpiresAt ?? assumedEnd)
  return {
    ...sealAnswer(place, answer, handle.client.secretInUse(), ports.keyring, ports.random),
    ...place,
    provider,
    account,
    endpointOrigins: endpointOriginsOf(handle, definition, { ...answer, variables }),
    expected: existing && { id: existing.row.id, grantEpoch: existing.row.grantEpoch },
    clientFingerprint: handle.clientFingerprint,
    requestedScopes,
    variables,
    refreshExpiresAt,
    grantExpiresAt: kind === 'absolute' ? refreshExpiresAt : undefined,
    connectTime: now,
    nextRefreshAt: firstRefresh(ports, definition, { ...answer, refreshExpiresAt }, now),
    cancelRevocations: definition.operations.revoke?.revokes === 'account',
  }
}

/** When a new grant is refreshed first; `undefined` = never. */
export function firstRefresh(
  { random }: Pick<Ports, 'random'>,
  { refresh }: Definition,
  { sentAt: obtainedAt, expiresAt, refreshExpiresAt, refreshToken }: TokenAnswer,
  now: number,
): number | undefined {
  const hasRefreshToken = refreshToken !== undefined
  const input = { obtainedAt, expiresAt, refreshExpiresAt, lastUsedAt: now, hasRefreshToken }
  return nextRefresh(refresh, input, now, random.fraction())
}
