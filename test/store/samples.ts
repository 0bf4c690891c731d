import type { ConsentHold, ConsentRow, ConsentStart } from '../../src/store/consent-rows.ts'
import type { AuditEntry, Release } from '../../src/store/record-rows.ts'
import type {
  AttemptStart,
  Base,
  ConnectionRow,
  KeptRefreshToken,
  KeptSibling,
  NewGrant,
  RefreshFailure,
  RefreshSuccess,
  RevocationRow,
} from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'

/** The time at which the samples happen, in milliseconds. */
export const t0 = 1_800_000_000_000

export function bytes(text: string): Buffer {
  return Buffer.from(text)
}

/** A first grant for ('pinterest', 'alice') with every optional field set. */
export function sampleGrant(changes: Partial<NewGrant> = {}): NewGrant {
  return {
    id: 'c1',
    provider: 'pinterest',
    account: 'alice',
    expected: null,
    connectTime: t0,
    nextRefreshAt: t0 + 3_000_000,
    cancelRevocations: false,
    tokenOrigin: 'https://api.pinterest.example',
    endpointOrigins: ['https://revoke.pinterest.example'],
    clientFingerprint: 'client-1',
    requestedScopes: ['ads:read', 'boards:read'],
    variables: { shop: 'acme' },
    grantExpiresAt: t0 + 31_536_000_000,
    version: 'v1',
    clientSecretFingerprint: 'secret-1',
    sealedAccessToken: bytes('access-1'),
    sealedRefreshToken: bytes('refresh-1'),
    tokenType: 'bearer',
    obtainedAt: t0,
    expiresAt: t0 + 3_600_000,
    expiry: 'STATED',
    refreshExpiresAt: t0 + 5_184_000_000,
    grantedScopes: ['ads:read'],
    providerAccountId: 'p-alice',
    providerAccountName: 'Alice',
    attributes: { realm_id: '7' },
    ...changes,
  }
}

/** The grant alone: everything that may be absent is. */
export function sparseGrant(changes: Partial<NewGrant> = {}): NewGrant {
  return sampleGrant({
    nextRefreshAt: undefined,
    endpointOrigins: undefined,
    grantExpiresAt: undefined,
    clientSecretFingerprint: undefined,
    sealedRefreshToken: undefined,
    expiresAt: undefined,
    expiry: 'UNKNOWN',
    refreshExpiresAt: undefined,
    grantedScopes: undefined,
    providerAccountId: '',
    providerAccountName: '',
    ...changes,
  })
}

export function sampleSuccess(changes: Partial<RefreshSuccess> = {}): RefreshSuccess {
  return {
    now: t0 + 10_000,
    nextRefreshAt: t0 + 7_000_000,
    grantExpiresAt: t0 + 40_000_000_000,
    version: 'v2',
    clientSecretFingerprint: 'secret-2',
    sealedAccessToken: bytes('access-2'),
    sealedRefreshToken: bytes('refresh-2'),
    tokenType: 'Bearer',
    obtainedAt: t0 + 9_000,
    expiresAt: t0 + 7_200_000,
    expiry: 'ASSUMED',
    refreshExpiresAt: t0 + 6_000_000_000,
    grantedScopes: ['boards:read'],
    providerAccountId: 'p-alice-2',
    providerAccountName: 'Alice 2',
    attributes: { instance: 'eu' },
    ...changes,
  }
}

export function sampleFailure(changes: Partial<RefreshFailure> = {}): RefreshFailure {
  return {
    attemptId: 'a1',
    error: { class: 'retry', reason: 'http_503', providerCode: 'E1', message: 'try later', at: t0 + 20_000 },
    state: 'ACTIVE',
    stateReason: '',
    outcomeUnknown: false,
    nextRefreshAt: t0 + 60_000,
    ...changes,
  }
}

export function sampleKept(changes: Partial<KeptRefreshToken> = {}): KeptRefreshToken {
  return {
    sealedRefreshToken: bytes('refresh-kept'),
    now: t0 + 10_000,
    nextRefreshAt: t0 + 11_000,
    error: { ...sampleFailure().error, class: 'ambiguous', at: t0 + 10_000 },
    ...changes,
  }
}

export function sampleSibling(changes: Partial<KeptSibling> = {}): KeptSibling {
  return {
    sealedRefreshToken: bytes('sibling-1'),
    until: t0 + 86_400_000,
    nextRefreshAt: t0 + 12_000,
    ...changes,
  }
}

export function sampleAttempt(
  base: Base & Partial<Pick<ConnectionRow, 'failures'>>,
  changes: Partial<AttemptStart> = {},
): AttemptStart {
  return {
    ...baseOf(base),
    failures: base.failures ?? 0,
    attemptId: 'a1',
    now: t0 + 5_000,
    leaseOwner: 'broker-1',
    leaseUntil: t0 + 20_000,
    ...changes,
  }
}

export function baseOf({ id, grantEpoch, counter }: Base): Base {
  return { id, grantEpoch, counter }
}

/** Each way in which a base can have moved. */
export function movedBases(base: Base): [name: string, base: Base][] {
  return [
    ['another id', { ...baseOf(base), id: 'other' }],
    ['an older grant epoch', { ...baseOf(base), grantEpoch: base.grantEpoch - 1 }],
    ['a newer grant epoch', { ...baseOf(base), grantEpoch: base.grantEpoch + 1 }],
    ['an older counter', { ...baseOf(base), counter: base.counter - 1 }],
    ['a newer counter', { ...baseOf(base), counter: base.counter + 1 }],
  ]
}

/** Stores a grant that must be accepted. */
export async function connect(store: Store, changes: Partial<NewGrant> = {}): Promise<ConnectionRow> {
  const row = await store.saveGrant(sampleGrant(changes))
  if (row === undefined) throw new Error('the sample grant was not accepted')
  return row
}

export function sampleRevocation(changes: Partial<RevocationRow> = {}): RevocationRow {
  return {
    id: 'r1',
    connectionId: 'c1',
    provider: 'pinterest',
    account: 'alice',
    grantEpoch: 1,
    tokenOrigin: 'https://api.pinterest.example',
    endpointOrigins: ['https://revoke.pinterest.example'],
    clientFingerprint: 'client-1',
    providerAccountId: 'p-alice',
    variables: { shop: 'acme' },
    attributes: { realm_id: '7' },
    sealedAccessToken: bytes('revoke-access'),
    sealedRefreshToken: bytes('revoke-refresh'),
    createdAt: t0,
    expiresAt: t0 + 86_400_000,
    nextTryAt: t0 + 1_000,
    tries: 0,
    ...changes,
  }
}

/** A record about nothing in particular. */
export function sampleEntry(changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    time: t0,
    event: 'CONNECTION_DISCONNECTED',
    outcome: 'SUCCEEDED',
    reason: '',
    caller: 'ads-sync',
    authentication: 'jwt',
    provider: 'pinterest',
    account: 'alice',
    connectionId: 'c1',
    version: 'v1',
    requestId: 'r1',
    peer: '10.0.0.1:5000',
    keyId: '00112233445566aa',
    fingerprint: 'f'.repeat(32),
    count: 1,
    details: { revocation: 'FILED' },
    ...changes,
  }
}

export function sampleConsent(changes: Partial<ConsentRow> = {}): ConsentRow {
  return {
    id: 'k1',
    linkHash: 'link-1',
    provider: 'pinterest',
    account: 'alice',
    scopes: ['ads:read'],
    variables: { shop: 'acme' },
    subject: 'user-7',
    returnId: 'app',
    allowAccountChange: true,
    createdBy: 'ads-sync',
    createdAt: t0,
    expiresAt: t0 + 600_000,
    state: 'PENDING',
    ...changes,
  }
}

export function sampleHold(changes: Partial<ConsentHold> = {}): ConsentHold {
  return { expiresAt: t0 + 70_000, receiptHash: 'receipt-1', sealedCode: bytes('code-1'), ...changes }
}

export function sampleStart(changes: Partial<ConsentStart> = {}): ConsentStart {
  return {
    now: t0 + 1_000,
    expiresAt: t0 + 601_000,
    stateHash: 'state-1',
    cookieHash: 'cookie-1',
    sealedVerifier: bytes('verifier-1'),
    redirectUri: 'http://localhost:8085/oauth/callback/pinterest',
    ...changes,
  }
}

export function sampleRelease(changes: Partial<Release> = {}): Release {
  return {
    caller: 'ads-sync',
    authentication: 'static_token',
    connectionId: 'c1',
    provider: 'pinterest',
    account: 'alice',
    version: 'v1',
    fingerprint: 'f'.repeat(32),
    at: t0,
    count: 1,
    ...changes,
  }
}
