import type { Audit } from '../../audit/audit.ts'
import type { OAuthClient } from '../../oauth/client.ts'
import type { Result } from '../../oauth/failure.ts'
import type { RevokeOperation } from '../../providers/definition.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { ConnectionRow, RevocationRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import type { Revocation } from '../broker.ts'
import { type OpenTokens, openSibling } from '../connection.ts'
import { maySendTo } from '../endpoint-origins.ts'
import { sendInTurn } from '../governor/governed-client.ts'
import type { Clock, Log, Random } from '../ports.ts'
import { hasMoved, type ProviderHandle, type Providers } from '../providers.ts'
import type { WallClock } from '../renewal/wall-clock.ts'
import { openEntry, type RevokedGrant, revocationEntry, SECOND_TRY_MS, sealTokens } from './entry.ts'
import { type RevocableTokens, revive, sendRevocation } from './request.ts'

/** Retries back off from a second to an hour. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 3_600_000

/** Revokes tokens at their provider: durable first, then tried until it is confirmed or its day is over. */
export interface Revocations {
  /**
   * The entries to be stored in the same transaction that removes the connection: of its tokens, and of the refresh
   * token that may be kept beside them.
   */
  file(row: ConnectionRow, tokens: OpenTokens): readonly RevocationRow[]
  /**
   * Tries a stored entry once and settles it in the store.
   *
   * @param isExpired whether the access token is known to be dead, so that a provider which wants a living one is
   *   given a new one first; default: found out by its answer
   */
  attempt(entry: RevocationRow, isExpired?: boolean): Promise<Revocation>
  /**
   * Files tokens that no connection has, and tries to revoke them without being waited for. Where a revocation
   * ends everything of its account, and that is connected, they are left alone.
   *
   * @throws StoreError if they could not be filed
   */
  abandon(grant: RevokedGrant, tokens: RevocableTokens): Promise<void>
  /** Tries an entry that is due, or gives it up after its day, unless only a clock that jumped says that it is over. */
  settle(entry: RevocationRow): Promise<void>
  /** Resolves when no token that is being renewed for a revocation is still to be stored. */
  settled(): Promise<void>
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly providers: Providers
  readonly audit: Pick<Audit, 'entry'>
  readonly wallClock: Pick<WallClock, 'hasJumped'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A new consent has cancelled the revocation, which would end it. */
class CancelledError extends Error {}

/** Creates the revocations over one store. */
export function createRevocations(ports: Ports): Revocations {
  const { store, keyring, providers, audit, wallClock, clock, random, log } = ports
  const renewing = new Set<Promise<unknown>>()
  const newEntry = () => ({ id: random.token(16), now: clock.now() })

  /** For the transaction in which the tokens go. */
  function ended({ provider, account, providerAccountId }: RevocationRow, reason: Revocation | 'GIVEN_UP') {
    return audit.entry({
      event: 'REVOCATION_ENDED',
      outcome: reason === 'REVOKED' ? 'SUCCEEDED' : 'FAILED',
      reason,
      provider,
      account,
      details: { provider_account_id: providerAccountId },
    })
  }

  async function attempt(entry: RevocationRow, isExpired = false): Promise<Revocation> {
    const { provider, account } = entry
    const outcome = await tryEntry(entry, isExpired).catch((error: unknown): Revocation => {
      if (error instanceof CancelledError) return 'SKIPPED_SHARED'
      throw error
    })
    if (outcome === 'PENDING') {
      const delay = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(entry.tries, 20))
      await store.rescheduleRevocation(entry.id, clock.now() + delay, entry.tries + 1)
    } else {
      await store.removeRevocation(entry.id, ended(entry, outcome))
      log.info('Revocation ended', { provider, account, outcome })
    }
    return outcome
  }

  async function tryEntry(entry: RevocationRow, isExpired: boolean): Promise<Revocation> {
    if (!providers.has(entry.provider)) return 'UNSUPPORTED'
    const handle = providers.get(entry.provider)
    const found = await handle.client.definition()
    if (!found.ok) return 'PENDING'
    const { revoke } = found.value.operations
    // Tokens go nowhere but where they were sealed for, and where they were to be revoked when they were issued.
    const isElsewhere = revoke?.url !== undefined && !maySendTo(handle, revoke.url, entry)
    if (isElsewhere || hasMoved(handle, found.value, entry)) {
      const { provider, account } = entry
      log.warn('Left tokens unrevoked: their provider has moved in the configuration; end them there', {
        provider,
        account,
      })
      return 'UNSUPPORTED'
    }
    const tokens = openEntry(keyring, entry)
    if (tokens === undefined) return 'UNSUPPORTED'
    return revokeWithLiving(whileFiled(handle, entry), entry, tokens, revoke, isExpired)
  }

  /** The same provider, sent requests only as long as the entry is filed: a new consent cancels it at any time. */
  function whileFiled(handle: ProviderHandle, entry: RevocationRow): ProviderHandle {
    const { client, ungoverned, governor } = handle
    const inTurn = <T>(purpose: 'grant' | 'revoke', send: () => Promise<Result<T>>) =>
      sendInTurn(governor, 'renewal', purpose, async () => {
        await requireFiled(entry)
        return send()
      })
    const refresh: OAuthClient['refresh'] = input => inTurn('grant', () => ungoverned.refresh(input))
    const revoke: OAuthClient['revoke'] = input => inTurn('revoke', () => ungoverned.revoke(input))
    return { ...handle, client: { ...client, refresh, revoke } }
  }

  /** Also shows that the store can be written, before a refresh token is spent. */
  async function requireFiled({ id, tries }: RevocationRow): Promise<void> {
    const isFiled = await store.rescheduleRevocation(id, clock.now() + SECOND_TRY_MS, tries)
    if (!isFiled) throw new CancelledError()
  }

  async function revokeWithLiving(
    handle: ProviderHandle,
    entry: RevocationRow,
    tokens: RevocableTokens,
    operation: RevokeOperation | undefined,
    isExpired: boolean,
  ): Promise<Revocation> {
    const wantsAccessToken = operation?.token === 'access' || operation?.token === 'account'
    if (wantsAccessToken && (isExpired || tokens.accessToken === undefined)) {
      const living = await renewed(handle, entry, tokens)
      if (living === 'unknown' && tokens.accessToken === undefined) return 'PENDING'
      const known = typeof living === 'string' ? tokens : living
      return (await sendRevocation(handle, entry, known, operation)).revocation
    }
    const { revocation, needsLivingToken } = await sendRevocation(handle, entry, tokens, operation)
    if (!needsLivingToken) return revocation
    const living = await renewed(handle, entry, tokens)
    return typeof living === 'string'
      ? revocation
      : (await sendRevocation(handle, entry, living, operation)).revocation
  }

  function renewed(handle: ProviderHandle, entry: RevocationRow, tokens: RevocableTokens) {
    const renewal = renew(handle, entry, tokens).finally(() => renewing.delete(renewal))
    renewing.add(renewal)
    return renewal
  }

  /** New tokens are stored before they are used: they may be the only ones with which this can still be done. */
  async function renew(
    handle: ProviderHandle,
    entry: RevocationRow,
    tokens: RevocableTokens,
  ): Promise<RevocableTokens | 'dead' | 'unknown'> {
    const answer = await revive(handle, entry, tokens)
    if (typeof answer === 'string') {
      const { provider, account } = entry
      log.warn('Could not refresh the access token that is to be revoked', { provider, account })
      return answer
    }
    await store.replaceRevocationTokens(entry.id, sealTokens(keyring, entry, answer))
    return { accessToken: answer.accessToken, refreshToken: answer.refreshToken ?? tokens.refreshToken }
  }

  /** An account that nobody named may be any that is connected. */
  async function wouldEndOther(grant: RevokedGrant): Promise<boolean> {
    if (!providers.has(grant.provider)) return false
    const found = await providers.get(grant.provider).client.definition()
    if (!found.ok || found.value.operations.revoke?.revokes !== 'account') return false
    return grant.providerAccountId === '' || (await store.listSharedConnections(grant)).length > 0
  }

  return {
    attempt,
    async settled() {
      await Promise.allSettled(renewing)
    },
    file(row, tokens) {
      const sibling = openSibling(row, keyring)
      const all = sibling === undefined ? [tokens] : [tokens, { refreshToken: sibling }]
      return all.map(filed => revocationEntry(keyring, newEntry(), row, filed))
    },
    async abandon(grant, tokens) {
      const { provider, account } = grant
      if (await wouldEndOther(grant)) {
        log.warn('Left tokens that have no connection: revoking them would end one that is kept', {
          provider,
          account,
        })
        return
      }
      const entry = revocationEntry(keyring, newEntry(), grant, tokens)
      await store.addRevocation(entry)
      log.warn('Revoking tokens that have no connection', { provider, account })
      void attempt(entry).catch(error => log.error('Revocation could not be settled', { provider, error }))
    },
    async settle(entry) {
      if (clock.now() < entry.expiresAt || wallClock.hasJumped()) {
        await attempt(entry)
        return
      }
      const { provider, account } = entry
      log.error('Gave up a revocation: its tokens live until they expire', { provider, account })
      await store.removeRevocation(entry.id, ended(entry, 'GIVEN_UP'))
    },
  }
}
