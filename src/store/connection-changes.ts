import { attemptEnded, isBase, isGrant } from './attempt-changes.ts'
import type {
  Base,
  ConnectionFacts,
  ConnectionRow,
  GrantBase,
  KeptRefreshToken,
  KeptSibling,
  NewGrant,
  Rebinding,
  RefreshFailure,
  RefreshSuccess,
  StoredError,
} from './rows.ts'

/** What an outcome that somebody knows ends beside the attempt. */
const outcomeKnown = { outcomeUnknownSince: undefined, outcomeUnknownTries: 0 } as const

const withoutSibling = { sealedSibling: undefined, siblingUntil: undefined } as const

/** What every new set of tokens ends beside the attempt. */
const failuresEnded = {
  ...outcomeKnown,
  suspect: false,
  failures: 0,
  failingSince: undefined,
  lastError: undefined,
} as const

/**
 * The row after a new grant; `undefined` if `expected` does not describe `stored`. Of a replaced row only the
 * last use and the lease epoch, which must never go back, survive.
 */
export function grantedRow(
  { expected, cancelRevocations: _, ...grant }: NewGrant,
  stored: ConnectionRow | undefined,
): ConnectionRow | undefined {
  if (stored?.id !== expected?.id || stored?.grantEpoch !== expected?.grantEpoch) return undefined
  if (stored !== undefined && stored.id !== grant.id) {
    throw new Error('a grant that replaces a connection must carry the id of that connection')
  }
  return {
    ...grant,
    ...attemptEnded,
    ...failuresEnded,
    state: 'ACTIVE',
    stateReason: '',
    stateSince: grant.connectTime,
    grantEpoch: (stored?.grantEpoch ?? 0) + 1,
    counter: (stored?.counter ?? 0) + 1,
    lastUsedAt: stored?.lastUsedAt,
    leaseEpoch: stored?.leaseEpoch ?? 0,
  }
}

/**
 * The row after a successful refresh; `undefined` if the base has moved. Nobody asks for the lease: a late
 * success may carry the only refresh token that still works.
 */
export function refreshedRow(
  row: ConnectionRow,
  base: Base,
  outcome: RefreshSuccess,
): ConnectionRow | undefined {
  if (!isBase(row, base)) return undefined
  return {
    ...row,
    ...attemptEnded,
    ...failuresEnded,
    ...(isSiblingOver(row, outcome) ? withoutSibling : {}),
    suspect: isDoubtful(row, outcome),
    state: 'ACTIVE',
    stateReason: '',
    stateSince: row.state === 'ACTIVE' ? row.stateSince : outcome.now,
    counter: row.counter + 1,
    version: outcome.version,
    clientSecretFingerprint: outcome.clientSecretFingerprint,
    sealedAccessToken: outcome.sealedAccessToken,
    sealedRefreshToken: outcome.sealedRefreshToken ?? row.sealedRefreshToken,
    tokenType: outcome.tokenType,
    obtainedAt: outcome.obtainedAt,
    expiresAt: outcome.expiresAt,
    expiry: outcome.expiry,
    refreshExpiresAt: outcome.refreshExpiresAt ?? row.refreshExpiresAt,
    grantExpiresAt: outcome.grantExpiresAt ?? row.grantExpiresAt,
    grantedScopes: outcome.grantedScopes ?? row.grantedScopes,
    providerAccountId: outcome.providerAccountId || row.providerAccountId,
    providerAccountName: outcome.providerAccountName || row.providerAccountName,
    attributes: { ...row.attributes, ...outcome.attributes },
    lastRefreshAt: outcome.now,
    nextRefreshAt: isDoubtful(row, outcome) ? outcome.now : outcome.nextRefreshAt,
  }
}

/** The row after a failed attempt; `undefined` if the base has moved or another attempt has begun since. */
export function failedRow(
  row: ConnectionRow,
  base: Base,
  outcome: RefreshFailure,
): ConnectionRow | undefined {
  if (!isBase(row, base) || row.attemptId !== outcome.attemptId) return undefined
  return {
    ...row,
    ...attemptEnded,
    ...(outcome.siblingRefused ? withoutSibling : {}),
    state: outcome.state,
    stateReason: outcome.stateReason,
    stateSince: row.state === outcome.state ? row.stateSince : outcome.error.at,
    ...(outcome.outcomeUnknown || isLeftOpen(row, outcome)
      ? { outcomeUnknownTries: row.outcomeUnknownTries + 1 }
      : outcomeKnown),
    ...failureCounted(row, outcome.error),
    nextRefreshAt: outcome.nextRefreshAt,
  }
}

/** The row with a new refresh token beside its old access token; `undefined` if the base has moved. */
export function keptTokenRow(
  row: ConnectionRow,
  base: Base,
  kept: KeptRefreshToken,
): ConnectionRow | undefined {
  if (!isBase(row, base)) return undefined
  return {
    ...row,
    ...attemptEnded,
    ...outcomeKnown,
    ...failureCounted(row, kept.error),
    counter: row.counter + 1,
    sealedRefreshToken: kept.sealedRefreshToken,
    suspect: true,
    nextRefreshAt: kept.nextRefreshAt,
  }
}

/** The row with a sibling of its refresh token; `undefined` if it is another grant's by now. */
export function siblingRow(
  row: ConnectionRow,
  at: GrantBase,
  { sealedRefreshToken, until, nextRefreshAt }: KeptSibling,
): ConnectionRow | undefined {
  const suspect = suspectRow(row, at, nextRefreshAt)
  return suspect && { ...suspect, sealedSibling: sealedRefreshToken, siblingUntil: until }
}

/** The row as suspect; `undefined` if it is another grant's by now. */
export function suspectRow(
  row: ConnectionRow,
  at: GrantBase & Partial<Base>,
  nextRefreshAt: number,
  refusal?: StoredError,
): ConnectionRow | undefined {
  if (!isGrant(row, at)) return undefined
  const next = Math.min(row.nextRefreshAt ?? nextRefreshAt, nextRefreshAt)
  // A refusal of tokens that have been replaced says nothing about those that are stored.
  const lastError = refusal !== undefined && row.counter === at.counter ? refusal : row.lastError
  return { ...row, suspect: true, nextRefreshAt: next, lastError }
}

/**
 * The row without anything to refresh with; `undefined` if the base has moved or an attempt is under way: where the
 * provider issues no other refresh token, its success would be left without one.
 */
export function forgottenRow(row: ConnectionRow, base: Base): ConnectionRow | undefined {
  if (!isBase(row, base) || row.attemptId !== undefined) return undefined
  return {
    ...row,
    ...withoutSibling,
    ...outcomeKnown,
    sealedRefreshToken: undefined,
    refreshExpiresAt: undefined,
    nextRefreshAt: undefined,
  }
}

/** The row with its tokens bound to another endpoint and client; `undefined` if the base has moved. */
export function reboundRow(
  row: ConnectionRow,
  base: Base,
  { nextRefreshAt, ...rebinding }: Rebinding,
): ConnectionRow | undefined {
  if (!isBase(row, base)) return undefined
  return {
    ...row,
    ...rebinding,
    sealedRefreshToken: rebinding.sealedRefreshToken,
    sealedSibling: rebinding.sealedSibling,
    counter: row.counter + 1,
    siblingUntil: rebinding.sealedSibling && row.siblingUntil,
    nextRefreshAt: row.nextRefreshAt && Math.min(row.nextRefreshAt, nextRefreshAt),
  }
}

/** The row with what a second call yielded; `undefined` if the base has moved. */
export function enrichedRow(
  row: ConnectionRow,
  base: Base,
  facts: ConnectionFacts,
): ConnectionRow | undefined {
  if (!isBase(row, base)) return undefined
  return {
    ...row,
    providerAccountId: facts.providerAccountId || row.providerAccountId,
    providerAccountName: facts.providerAccountName || row.providerAccountName,
    grantedScopes: facts.grantedScopes ?? row.grantedScopes,
    expiresAt: facts.expiresAt ?? row.expiresAt,
    expiry: facts.expiry ?? row.expiry,
    nextRefreshAt: facts.nextRefreshAt === undefined ? row.nextRefreshAt : (facts.nextRefreshAt ?? undefined),
  }
}

/**
 * A sibling that was used stays where nothing came in the place of the refresh token that it is. Its day alone does not
 * end it: only a request that was sent after it, whatever the clock did meanwhile, shows that the stored one counts.
 */
function isSiblingOver({ siblingUntil }: ConnectionRow, outcome: RefreshSuccess): boolean {
  if (outcome.siblingUsed && outcome.sealedRefreshToken !== undefined) return true
  return siblingUntil !== undefined && siblingUntil <= Math.min(outcome.obtainedAt, outcome.now)
}

/** A refusal that came while these tokens were under way may have been the server's answer to a second presentation. */
function isDoubtful({ lastError }: ConnectionRow, { obtainedAt }: RefreshSuccess): boolean {
  return lastError?.class === 'reauthorize' && obtainedAt <= lastError.at
}

/** What an earlier attempt left open is not settled by this one's failure, unless it ends the grant. */
function isLeftOpen(
  { outcomeUnknownSince, attemptStartedAt }: ConnectionRow,
  { state }: RefreshFailure,
): boolean {
  if (outcomeUnknownSince === undefined || attemptStartedAt === undefined) return false
  return state !== 'REAUTH_REQUIRED' && outcomeUnknownSince < attemptStartedAt
}

function failureCounted({ failures, failingSince }: ConnectionRow, error: StoredError) {
  return { failures: failures + 1, failingSince: failingSince ?? error.at, lastError: error }
}
