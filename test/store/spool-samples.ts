import type { RefreshSuccess } from '../../src/store/rows.ts'
import type { SpooledCommit } from '../../src/store/spool.ts'
import { bytes, sampleSuccess, t0 } from './samples.ts'

export function sampleSpooled(changes: Partial<SpooledCommit> = {}): SpooledCommit {
  return {
    provider: 'pinterest',
    account: 'alice',
    base: { id: 'c1', grantEpoch: 1, counter: 1 },
    outcome: sampleSuccess(),
    grant: {
      tokenOrigin: 'https://api.pinterest.example',
      endpointOrigins: ['https://revoke.pinterest.example'],
      clientFingerprint: 'client-1',
      providerAccountId: 'p-alice',
      variables: { shop: 'acme' },
      attributes: { realm_id: '7' },
    },
    ...changes,
  }
}

/** The access token alone: everything that may be absent is. */
export function sparseSuccess(): RefreshSuccess {
  return {
    now: t0 + 10_000,
    version: 'v2',
    sealedAccessToken: bytes('access-2'),
    tokenType: 'Bearer',
    obtainedAt: t0 + 9_000,
    expiry: 'UNKNOWN',
    providerAccountId: '',
    providerAccountName: '',
    attributes: {},
  }
}
