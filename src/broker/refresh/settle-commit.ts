import type { Audit } from '../../audit/audit.ts'
import { isGrant } from '../../store/attempt-changes.ts'
import { keptTokenRow, refreshedRow } from '../../store/connection-changes.ts'
import { type Keyring, UnreadableError } from '../../store/keyring.ts'
import type { ConnectionRow, KeptRefreshToken, RefreshSuccess } from '../../store/rows.ts'
import type { SpooledCommit, SpooledGrant } from '../../store/spool.ts'
import type { Store } from '../../store/store.ts'
import { stateChange } from '../audit/state-audit.ts'
import { type Connection, sealContext } from '../connection.ts'
import type { Connections } from '../connections.ts'
import type { Clock, Log } from '../ports.ts'
import type { Revocations } from '../revocation/revocations.ts'

/** How long the refresh token of a late success is kept beside a stored one that works. */
const SIBLING_KEPT_MS = 86_400_000

/** Tokens that the provider issued and the store has not taken yet. */
export interface Unstored {
  readonly commit: SpooledCommit
  /** When the request that brought the access token was sent, on the monotonic clock; absent after a restart. */
  readonly sentMonotonic?: number
  /** The row whose state it changes; absent = whatever is stored when it is, because time has passed since. */
  readonly row?: ConnectionRow
}

/** What placing issued tokens needs. */
export interface SettlePorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly revocations: Revocations
  readonly audit: Pick<Audit, 'entry'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Stores issued tokens where they belong, whoever holds the lease by now: in their row if it still holds what they
 * were obtained with; beside it if another process has renewed it meanwhile; among the revocations if their grant
 * is gone.
 *
 * @returns the connection, or `undefined` if the tokens are not its current ones
 * @throws StoreError if nothing could be settled; to be called again
 */
export async function settleCommit(ports: SettlePorts, unstored: Unstored): Promise<Connection | undefined> {
  const { store, connections } = ports
  const { base, outcome, provider, account } = unstored.commit
  const stored = isSuccess(outcome)
    ? await store.commitRefresh(base, outcome, await stateEntry(ports, unstored))
    : await store.keepRefreshToken(base, outcome)
  if (stored !== undefined) {
    return connections.put(stored, isSuccess(outcome) ? unstored.sentMonotonic : undefined)
  }
  const current = await store.findConnection(provider, account)
  if (current !== undefined && isGrant(current, base)) {
    // An earlier try was stored, and its answer lost.
    if (isStored(ports.keyring, current, unstored.commit)) {
      return connections.put(current, unstored.sentMonotonic)
    }
    if (await keepBeside(ports, current, unstored.commit)) return undefined
  }
  // They may have been served while they were not stored.
  const served = connections.peek({ provider, account })
  if (served && isGrant(served.row, base)) connections.forget(served.row)
  await abandon(ports, unstored.commit)
  return undefined
}

/** The record of what a success does to the state of its connection; `undefined` if it does nothing to it. */
async function stateEntry({ store, audit }: SettlePorts, { commit, row }: Unstored) {
  const before = row ?? (await store.findConnection(commit.provider, commit.account))
  return before && stateChange(audit, before, 'ACTIVE', 'REFRESHED')
}

/** What a revocation would need to know of a connection's grant. */
export function spooledGrant(row: ConnectionRow): SpooledGrant {
  const { tokenOrigin, endpointOrigins, clientFingerprint, providerAccountId, variables, attributes } = row
  return { tokenOrigin, endpointOrigins, clientFingerprint, providerAccountId, variables, attributes }
}

/**
 * Puts the row that will be stored into memory, to be served until it is; `undefined` if its base has moved, or if it
 * is not in memory any more: then another process may have ended the grant.
 */
export function serveUnstored(
  connections: Connections,
  { commit: { provider, account, base, outcome }, sentMonotonic }: Unstored,
): Connection | undefined {
  const row = connections.peek({ provider, account })?.row
  if (row === undefined) return undefined
  const next = isSuccess(outcome) ? refreshedRow(row, base, outcome) : keptTokenRow(row, base, outcome)
  return next && connections.put(next, isSuccess(outcome) ? sentMonotonic : undefined)
}

/** Whether the outcome brings an access token. */
function isSuccess(outcome: RefreshSuccess | KeptRefreshToken): outcome is RefreshSuccess {
  return 'sealedAccessToken' in outcome
}

/** Whether the row holds what the commit brings. A value may have been sealed anew by another key since. */
function isStored(keyring: Keyring, row: ConnectionRow, { outcome, grant }: SpooledCommit): boolean {
  if (isSuccess(outcome)) return row.version === outcome.version
  if (row.sealedRefreshToken === undefined) return false
  const place = sealContext({ ...row, tokenOrigin: grant.tokenOrigin }, 'refresh_token')
  try {
    const stored = keyring.open(row.sealedRefreshToken, sealContext(row, 'refresh_token'))
    return stored.expose() === keyring.open(outcome.sealedRefreshToken, place).expose()
  } catch (error) {
    if (error instanceof UnreadableError) return false
    throw error
  }
}

/**
 * One of two refresh tokens is the living one; nobody knows which before it is tried.
 *
 * @returns whether the grant still was there
 */
async function keepBeside(
  { store, keyring, connections, clock, log }: SettlePorts,
  row: ConnectionRow,
  { outcome: { sealedRefreshToken }, grant: { tokenOrigin } }: SpooledCommit,
): Promise<boolean> {
  const now = clock.now()
  const { provider, account } = row
  log.warn('Two refreshes of one connection succeeded; it is refreshed again to find out which counts', {
    provider,
    account,
  })
  if (sealedRefreshToken === undefined) {
    const suspect = await store.markSuspect(row, now)
    if (suspect !== undefined) connections.put(suspect)
    return suspect !== undefined
  }
  // The connection may have been bound to another endpoint meanwhile.
  const token = keyring.open(sealedRefreshToken, sealContext({ ...row, tokenOrigin }, 'refresh_token'))
  const sealed = keyring.seal(token, sealContext(row, 'sibling'))
  const sibling = { sealedRefreshToken: sealed, until: now + SIBLING_KEPT_MS, nextRefreshAt: now }
  const stored = await store.keepSibling(row, sibling)
  if (stored !== undefined) connections.put(stored)
  return stored !== undefined
}

/** The grant ended while its tokens were renewed: nobody may use them, so they are revoked. */
function abandon(
  { keyring, revocations }: SettlePorts,
  { provider, account, base, outcome, grant }: SpooledCommit,
): Promise<void> {
  const place = { id: base.id, grantEpoch: base.grantEpoch, tokenOrigin: grant.tokenOrigin }
  const open = (sealed: Uint8Array | undefined, column: 'access_token' | 'refresh_token') =>
    sealed && keyring.open(sealed, sealContext(place, column))
  const { sealedRefreshToken } = outcome
  return revocations.abandon(
    { ...grant, provider, account, id: base.id, grantEpoch: base.grantEpoch },
    {
      accessToken: isSuccess(outcome) ? open(outcome.sealedAccessToken, 'access_token') : undefined,
      refreshToken: open(sealedRefreshToken, 'refresh_token'),
    },
  )
}
