import { AUDIT_EVENTS, type Audit, AuditError } from '../../audit/audit.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { AuditPosition } from '../../store/record-rows.ts'
import type { Store } from '../../store/store.ts'
import { guard, storeUnavailable } from '../connections.ts'
import { invalidRequest } from '../errors.ts'
import type { AuditList, AuditListRequest, FoundReleases, ReleaseSearch } from './reader.ts'

/** Callers that one token is looked up for; more have had it than anybody will ask one by one. */
const RELEASES_MAX = 1_000

/** What reading the audit needs. */
interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly audit: Audit
}

/**
 * One page of the audit. What the caller may not see is as if it did not match: no page and no token tells of it.
 *
 * @throws BrokerError `INVALID_REQUEST`, `BROKER_UNAVAILABLE`
 */
export async function listAuditRecords({ store }: Ports, request: AuditListRequest): Promise<AuditList> {
  const { pageToken, pageSize: limit, ...query } = request
  refuseUnknownEvent(query.event)
  const after = pageToken === '' ? undefined : decodePosition(pageToken)
  const { rows, next } = await guard(store.listAuditRecords({ ...query, after, limit }))
  return { records: rows, nextPageToken: next === undefined ? '' : encodePosition(next) }
}

/**
 * Who has been given an access token. That it was asked, and by whom, is recorded first.
 *
 * @throws BrokerError `BROKER_UNAVAILABLE`
 */
export async function findReleases(
  { store, keyring, audit }: Ports,
  { token, caller, visible }: ReleaseSearch,
): Promise<FoundReleases> {
  const fingerprint = keyring.fingerprint(token)
  await audit.record({ event: 'AUDIT_SEARCHED', caller, fingerprint }).catch(error => {
    throw error instanceof AuditError ? storeUnavailable(error) : error
  })
  // Counts that wait for the next summary belong to the answer, if they can be written.
  await audit.flush().catch(() => {})
  return {
    fingerprint,
    releases: await guard(store.listReleases({ fingerprint, visible, limit: RELEASES_MAX })),
  }
}

/** No record has it: a misspelt name would look as if nothing had happened. */
function refuseUnknownEvent(event: string | undefined): void {
  const events: readonly string[] = AUDIT_EVENTS
  if (event === undefined || events.includes(event)) return
  throw invalidRequest([{ field: 'event', description: `is none of ${events.join(', ')}` }])
}

function encodePosition({ time, sequence }: AuditPosition): string {
  return Buffer.from(JSON.stringify([time, sequence])).toString('base64url')
}

function decodePosition(token: string): AuditPosition {
  try {
    const [time, sequence] = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Number.isSafeInteger(time) && Number.isSafeInteger(sequence)) return { time, sequence }
  } catch {
    // Told below.
  }
  throw invalidRequest([{ field: 'page_token', description: 'is not a next_page_token of this list' }])
}
