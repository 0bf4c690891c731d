import type { Failure } from '../oauth/failure.ts'
import type { RevokeOperation } from '../providers/definition.ts'
import type { Secret } from '../secret.ts'
import { type Keyring, type SealContext, UnreadableError } from '../store/keyring.ts'
import type { ConnectionRow, RevocationRow } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { Revocation } from './broker.ts'
import type { OpenTokens } from './connection.ts'
import type { Clock, Log, Random } from './ports.ts'
import { hasMoved, type ProviderHandle, type Providers } from './providers.ts'

/** A provider that did not confirm within a day keeps tokens that die of themselves; we stop asking. */
const LIFE_MS = 86_400_000
/** Retries back off from a second to an hour. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 3_600_000
/** The first try is made at once; a later one is for a process that died over it. Longer than any request. */
const SECOND_TRY_MS = 90_000

/** Revokes tokens at their provider: durable first, then tried until it is confirmed or its day is over. */
export interface Revocations {
  /** The entry to be stored in the same transaction that removes the connection. */
  file(row: ConnectionRow, tokens: OpenTokens): RevocationRow
  /** Tries a stored entry once and settles it in the store. */
  attempt(entry: RevocationRow): Promise<Revocation>
  /**
   * Tries tokens that were never stored, once, forgetting them whatever comes of it. Where a revocation ends
   * everything of its account, and that is connected, they are left alone.
   */
  abandon(handle: ProviderHandle, row: RevocationTarget, tokens: RevocableTokens): Promise<void>
  /** Tries an entry that is due, or gives it up after its day. */
  settle(entry: RevocationRow): Promise<void>
}

/** Whose tokens they are, for the definition's templates. */
export type RevocationTarget = Pick<ConnectionRow, 'variables' | 'attributes' | 'providerAccountId'>
/** What a revocation can send. */
export interface RevocableTokens {
  readonly accessToken?: Secret
  readonly refreshToken?: Secret
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly providers: Providers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Creates the revocations over one store. */
export function createRevocations(ports: Ports): Revocations {
  const { store, keyring, providers, clock, random, log } = ports

  async function attempt(entry: RevocationRow): Promise<Revocation> {
    const outcome = await tryEntry(entry)
    const { provider, account } = entry
    if (outcome === 'PENDING') {
      const delay = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(entry.tries, 20))
      await store.rescheduleRevocation(entry.id, clock.now() + delay, entry.tries + 1)
    } else {
      await store.removeRevocation(entry.id)
      log.info('Revocation ended', { provider, account, outcome })
    }
    return outcome
  }

  async function tryEntry(entry: RevocationRow): Promise<Revocation> {
    if (!providers.has(entry.provider)) return 'UNSUPPORTED'
    const handle = providers.get(entry.provider)
    const found = await handle.client.definition()
    if (!found.ok) return 'PENDING'
    // Tokens go nowhere but where they were sealed for.
    if (hasMoved(handle, found.value, entry)) return 'UNSUPPORTED'
    const tokens = openEntry(keyring, entry)
    return tokens === undefined ? 'UNSUPPORTED' : revoke(handle, entry, tokens, found.value.operations.revoke)
  }

  /** An account that nobody named may be any that is connected. */
  async function isConnected(provider: string, providerAccountId: string): Promise<boolean> {
    if (providerAccountId === '') return true
    return (await store.listSharedConnections(provider, providerAccountId)).length > 0
  }

  return {
    attempt,
    file: (row, tokens) => fileEntry(keyring, random, clock.now(), row, tokens),
    async abandon(handle, row, tokens) {
      const found = await handle.client.definition()
      const operation = found.ok ? found.value.operations.revoke : undefined
      const provider = handle.provider.id
      if (operation?.revokes === 'account' && (await isConnected(provider, row.providerAccountId))) {
        log.warn('Left tokens that have no connection: revoking them would end one that is kept', {
          provider,
        })
        return
      }
      const outcome = await revoke(handle, row, tokens, operation)
      log.warn('Revoked tokens that have no connection', { provider, outcome })
    },
    async settle(entry) {
      if (clock.now() < entry.expiresAt) {
        await attempt(entry)
        return
      }
      const { provider, account } = entry
      log.error('Gave up a revocation: its tokens live until they expire', { provider, account })
      await store.removeRevocation(entry.id)
    },
  }
}

function contextOf(entry: RevocationRow, column: string): SealContext {
  const { id, grantEpoch, tokenOrigin } = entry
  return { table: 'revocations', column, id, grantEpoch, origin: tokenOrigin }
}

function fileEntry(
  keyring: Keyring,
  random: Random,
  now: number,
  row: ConnectionRow,
  { accessToken, refreshToken }: OpenTokens,
): RevocationRow {
  const entry: RevocationRow = {
    id: random.token(16),
    connectionId: row.id,
    provider: row.provider,
    account: row.account,
    grantEpoch: row.grantEpoch,
    tokenOrigin: row.tokenOrigin,
    clientFingerprint: row.clientFingerprint,
    providerAccountId: row.providerAccountId,
    variables: row.variables,
    attributes: row.attributes,
    createdAt: now,
    expiresAt: now + LIFE_MS,
    nextTryAt: now + SECOND_TRY_MS,
    tries: 0,
  }
  return {
    ...entry,
    sealedAccessToken: keyring.seal(accessToken, contextOf(entry, 'access_token')),
    sealedRefreshToken: refreshToken && keyring.seal(refreshToken, contextOf(entry, 'refresh_token')),
  }
}

function openEntry(keyring: Keyring, entry: RevocationRow): RevocableTokens | undefined {
  const { sealedAccessToken, sealedRefreshToken } = entry
  try {
    return {
      accessToken: sealedAccessToken && keyring.open(sealedAccessToken, contextOf(entry, 'access_token')),
      refreshToken: sealedRefreshToken && keyring.open(sealedRefreshToken, contextOf(entry, 'refresh_token')),
    }
  } catch (error) {
    if (error instanceof UnreadableError) return undefined
    throw error
  }
}

/** Sends what the definition wants revoked; the refresh token first, because it outlives the other. */
async function revoke(
  handle: ProviderHandle,
  target: RevocationTarget,
  tokens: RevocableTokens,
  operation: RevokeOperation | undefined,
): Promise<Revocation> {
  if (operation?.url === undefined) return 'UNSUPPORTED'
  const { variables, attributes, providerAccountId } = target
  for (const request of requestsOf(operation, tokens)) {
    const result = await handle.client.revoke({ variables, attributes, providerAccountId, ...request })
    if (!result.ok) return ofFailure(result.failure)
  }
  return 'REVOKED'
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
