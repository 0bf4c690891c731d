import type { AuditStore } from './audit-store.ts'
import type { GrantedConsent } from './consent-rows.ts'
import type { ConsentStore } from './consent-store.ts'
import type { KeyStore } from './key-store.ts'
import type { ConnectionCount, ConnectionQuery, DueQuery, ScheduleShift } from './queries.ts'
import type { AuditEntry } from './record-rows.ts'
import type { RestoreCheck, RestoreReport } from './restores.ts'
import type {
  AttemptAdoption,
  AttemptStart,
  Base,
  ConnectionFacts,
  ConnectionName,
  ConnectionRow,
  GrantBase,
  KeptRefreshToken,
  KeptSibling,
  Leaving,
  NewGrant,
  Rebinding,
  RefreshFailure,
  RefreshSuccess,
  RevocationRow,
  RevocationTokens,
  SharedAccount,
  StoredError,
} from './rows.ts'
import type { Resealing, SealedCount, SealedQuery, SealedValue } from './sealed-values.ts'

/**
 * What the broker remembers. This interface is the contract that every store fulfils; `test/store/contract.ts`
 * is its executable form.
 *
 * - A store is untrusted: secret material arrives sealed (`sealing.ts`) and leaves sealed. A store never
 *   sees a token.
 * - Every method that changes something is one transaction, durable when its promise resolves. If it
 *   rejects, nothing changed, except after `outcome_unknown` of a remote store, which a re-read settles.
 * - "Not found" is `undefined`, never an error.
 * - An audit entry that is given with a change is added in the same transaction if, and only if, there is a change.
 * - Times are milliseconds since the epoch, given by the caller; a store reads no clock.
 * - Conditional writes name what they were based on. `counter` changes with every new set of tokens, and
 *   with nothing else: a failure that changes the state must not shut out a late success, whose tokens may
 *   be the only valid ones. `grantEpoch` changes with every consent; ids are random and never reused. A
 *   write whose base has moved changes nothing and says so.
 * - Requests that break a rule of the tables (an id used twice, a state that does not exist, a `limit` below
 *   1) are mistakes of the program: they change nothing and reject with an error that is no `StoreError`.
 */
export interface Store extends ConsentStore, AuditStore, KeyStore {
  findConnection(provider: string, account: string): Promise<ConnectionRow | undefined>
  /** Ordered by provider, then account (byte order). `limit` is at least 1. */
  listConnections(query: ConnectionQuery): Promise<ConnectionRow[]>
  /** Per provider: how many connections, and how many in each stored state. */
  countConnections(): Promise<ConnectionCount[]>
  /**
   * Connections of one provider with `nextRefreshAt <= before`, the most overdue first; those that are being
   * refreshed, too. The cost is that of the answer, however many connections are stored.
   */
  listDueConnections(query: DueQuery): Promise<ConnectionRow[]>
  /**
   * All connections of one client with one account of an authorization server, whatever their provider is called,
   * ordered by provider and account: those that a revocation there would end. An empty `providerAccountId` is
   * unknown, and nothing is known to share it.
   */
  listSharedConnections(shared: SharedAccount): Promise<ConnectionRow[]>

  /**
   * Stores a new grant: creates the connection, or replaces all of an existing one (same provider and
   * account) and raises its grant epoch and counter. Nothing of an attempt, a lease, a sibling or a failure
   * survives. In the same transaction, revocations waiting for the same client and provider account are cancelled if
   * `cancelRevocations` says so; where either side does not know its provider account, those of the same
   * account are; and the consent that brought the grant ends, also if it was taken for EXPIRED meanwhile.
   *
   * @returns the stored row, or `undefined` if `expected` no longer describes what is stored
   */
  saveGrant(grant: NewGrant, entry?: AuditEntry, consent?: GrantedConsent): Promise<ConnectionRow | undefined>

  /**
   * Records the intent of a refresh: the attempt, and that its outcome is unknown from now on.
   *
   * @returns whether base, failures and lease allowed it
   */
  beginAttempt(attempt: AttemptStart): Promise<boolean>
  /**
   * Prolongs the lease of an attempt, also one that is over if nobody else has taken it.
   *
   * @returns whether the attempt is still the current one of that base
   */
  extendLease(base: Base, attemptId: string, leaseUntil: number): Promise<boolean>
  /**
   * Ends attempts that nobody holds any more, with their leases: their outcome stays unknown, and they are due
   * at once.
   *
   * @returns how many
   */
  adoptAttempts(adoption: AttemptAdoption): Promise<number>
  /**
   * Records the tokens of a successful refresh if `base` is still stored, whoever holds the lease. What the
   * answer lacks stays: the refresh token (RFC 6749 section 6), its expiry, the end of the grant, scopes, an
   * empty account; attributes are merged. The access token's own expiry is never carried over. A sibling that
   * brought the tokens goes, and one whose day was over when they were asked for.
   *
   * @returns the stored row, or `undefined` if the base has moved or the connection is gone
   */
  commitRefresh(base: Base, outcome: RefreshSuccess, entry?: AuditEntry): Promise<ConnectionRow | undefined>
  /**
   * Replaces the refresh token alone if `base` is still stored, whoever holds the lease: the answer had no
   * access token that can be used. Raises the counter, ends the attempt, knows its outcome, counts a failure
   * and makes the connection suspect; the access token and its version stay.
   *
   * @returns the stored row, or `undefined` if the base has moved or the connection is gone
   */
  keepRefreshToken(base: Base, kept: KeptRefreshToken): Promise<ConnectionRow | undefined>
  /**
   * Keeps the refresh token of a late success whose base has moved beside the stored one, in the place of an
   * older sibling; makes the connection suspect, and due at the given time unless it is due earlier.
   *
   * @returns the stored row, or `undefined` if that grant is gone
   */
  keepSibling(at: GrantBase, sibling: KeptSibling): Promise<ConnectionRow | undefined>
  /**
   * Makes the connection suspect, and due at the given time unless it is due earlier. Its state stays: a refusal of
   * which another attempt's holder does not know yet is kept as the last error alone, if the tokens that were refused are
   * still stored.
   *
   * @returns the stored row, or `undefined` if that grant is gone
   */
  markSuspect(
    at: GrantBase & Partial<Base>,
    nextRefreshAt: number,
    refusal?: StoredError,
  ): Promise<ConnectionRow | undefined>
  /**
   * Removes the refresh token, its expiry and a sibling, ciphertext included; the connection is not due any
   * more, and nothing can settle an unknown outcome. Everything else stays, the counter too.
   *
   * @returns the stored row, or `undefined` if the base has moved, an attempt is under way or the connection is gone
   */
  forgetRefreshToken(base: Base): Promise<ConnectionRow | undefined>
  /**
   * Records a failed attempt if `base` is still stored and the attempt is still the current one. The counter
   * stays: the tokens are the same.
   *
   * @returns the stored row, or `undefined` if not
   */
  failRefresh(base: Base, outcome: RefreshFailure, entry?: AuditEntry): Promise<ConnectionRow | undefined>
  /**
   * Records what the provider told beside the tokens (the account, scopes and expiry that only a second
   * call yields) if `base` is still stored. What is absent or empty stays. Does not touch the counter.
   */
  enrichConnection(base: Base, facts: ConnectionFacts, entry?: AuditEntry): Promise<ConnectionRow | undefined>
  /**
   * Binds the tokens of a connection to another endpoint and client if `base` is still stored. Raises the counter:
   * a late success that was sealed for the old place must not land in the new one.
   *
   * @returns the stored row, or `undefined` if the base has moved or the connection is gone
   */
  rebindConnection(base: Base, rebinding: Rebinding, entry?: AuditEntry): Promise<ConnectionRow | undefined>
  /**
   * Makes connections and revocations that are due after that time due earlier by that much, but not before it, and
   * access tokens that expire obtained and ended earlier.
   */
  bringForward(shift: ScheduleShift): Promise<void>
  /** Records when connections were last used; an older time changes nothing. Unknown ids are ignored. */
  touchConnections(uses: readonly { readonly id: string; readonly lastUsedAt: number }[]): Promise<void>

  /**
   * Removes the connection, its ciphertext included, and adds what it leaves, in one transaction.
   *
   * @param leaving makes that of the very row that is removed; must not throw; default: nothing
   * @returns the removed row, or `undefined` if there was none
   */
  removeConnection(
    provider: string,
    account: string,
    leaving?: (removed: ConnectionRow) => Leaving,
  ): Promise<ConnectionRow | undefined>
  /** Files a revocation of tokens that no connection holds. */
  addRevocation(revocation: RevocationRow): Promise<void>
  /** Replaces tokens of a revocation, ciphertext included; what is absent stays. An unknown id is ignored. */
  replaceRevocationTokens(id: string, tokens: RevocationTokens): Promise<void>
  /** Revocations with `nextTryAt <= before`, the most overdue first. */
  listDueRevocations(before: number, limit: number): Promise<RevocationRow[]>
  /**
   * Sets when a revocation is tried again.
   *
   * @returns whether it is still filed; a new consent may have cancelled it
   */
  rescheduleRevocation(id: string, nextTryAt: number, tries: number): Promise<boolean>
  /** Ends a revocation; its ciphertext is gone. An unknown id is ignored. */
  removeRevocation(id: string, entry?: AuditEntry): Promise<void>

  /**
   * Sealed values that name one key, in a fixed order of places. The cost is that of the answer, however many
   * values are stored.
   */
  listSealedValues(query: SealedQuery): Promise<SealedValue[]>
  /**
   * Replaces values that are still the very bytes that were read; counters stay, because the secrets do.
   *
   * @returns how many
   */
  replaceSealedValues(values: readonly Resealing[]): Promise<number>
  /** How many values name each key; keys that no value names are left out. */
  countSealedValues(): Promise<SealedCount[]>

  /**
   * Notes that an older copy was accepted: connections of providers that are not exempt and have a refresh token
   * become suspect and are due one after the other. A second copy replaces the check of the first.
   *
   * @returns how many are checked
   */
  beginRestoreCheck(check: RestoreCheck): Promise<number>
  /** What became of the last accepted copy; absent = none was ever accepted. */
  restoreReport(): Promise<RestoreReport | undefined>
  /** Notes that the outcome was reported. */
  noteRestoreReported(at: number): Promise<void>

  /** The highest wall time that was ever noted; absent = none was. */
  clockMark(): Promise<number | undefined>
  /** Notes the wall time; an earlier one than is noted changes nothing. */
  raiseClockMark(now: number): Promise<void>
  /** Notes that time whatever was noted: the clock that was ahead has been put right. */
  setClockMark(now: number): Promise<void>

  /**
   * Tells which connections other processes have created, changed or removed, soon after they did; nothing of
   * last uses, and of attempts only their outcome. A store with one writer never calls.
   *
   * @returns ends it
   */
  onForeignChange(listener: (name: ConnectionName) => void): () => void

  close(): Promise<void>
}

/** The store cannot do what was asked now. Nothing was changed, except after `outcome_unknown`. */
export class StoreError extends Error {
  /** `busy`, `full` and `unavailable` pass; `corrupt` does not; `outcome_unknown` needs a re-read. */
  readonly reason: 'busy' | 'full' | 'unavailable' | 'corrupt' | 'outcome_unknown'

  constructor(reason: StoreError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.reason = reason
  }
}
