import type {
  AttemptStart,
  Base,
  ConnectionFacts,
  ConnectionRow,
  NewGrant,
  RefreshFailure,
  RefreshSuccess,
} from './rows.ts'

/** What every recorded outcome of an attempt ends, success or failure. */
const attemptEnded = {
  attemptId: undefined,
  attemptStartedAt: undefined,
  leaseOwner: undefined,
  leaseUntil: undefined,
} as const

/** What every new set of tokens ends beside the attempt. */
const failuresEnded = {
  outcomeUnknownSince: undefined,
  outcomeUnknownTries: 0,
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

/** The row after the intent to refresh; `undefined` if the base has moved or somebody else holds the lease. */
export function attemptedRow(row: ConnectionRow, attempt: AttemptStart): ConnectionRow | undefined {
  if (!isBase(row, attempt)) return undefined
  if (isLeasedToOther(row, attempt)) return undefined
  return {
    ...row,
    attemptId: attempt.attemptId,
    attemptStartedAt: attempt.now,
    outcomeUnknownSince: row.outcomeUnknownSince ?? attempt.now,
    leaseEpoch: row.leaseEpoch + 1,
    leaseOwner: attempt.leaseOwner,
    leaseUntil: attempt.leaseUntil,
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
    state: 'ACTIVE',
    stateReason: '',
    stateSince: row.state === 'ACTIVE' ? row.stateSince : outcome.now,
    counter: row.counter + 1,
    version: outcome.version,
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
    nextRefreshAt: outcome.nextRefreshAt,
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
    state: outcome.state,
    stateReason: outcome.stateReason,
    stateSince: row.state === outcome.state ? row.stateSince : outcome.error.at,
    outcomeUnknownSince: outcome.outcomeUnknown ? row.outcomeUnknownSince : undefined,
    outcomeUnknownTries: outcome.outcomeUnknown ? row.outcomeUnknownTries + 1 : 0,
    failures: row.failures + 1,
    failingSince: row.failingSince ?? outcome.error.at,
    lastError: outcome.error,
    nextRefreshAt: outcome.nextRefreshAt,
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

function isBase(row: ConnectionRow, base: Base): boolean {
  return row.id === base.id && row.grantEpoch === base.grantEpoch && row.counter === base.counter
}

/** A lease ends at the very millisecond that it names. */
function isLeasedToOther(row: ConnectionRow, { leaseOwner, now }: AttemptStart): boolean {
  if (row.leaseOwner === undefined || row.leaseOwner === leaseOwner) return false
  return row.leaseUntil !== undefined && row.leaseUntil > now
}
