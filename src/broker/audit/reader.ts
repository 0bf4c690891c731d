import type { Secret } from '../../secret.ts'
import type { AuditRow, ReleaseRow } from '../../store/record-rows.ts'
import type { CallerIdentity, ConnectionName } from '../broker.ts'

/** Answers what the audit knows. */
export interface AuditReader {
  /** What was recorded, by time. */
  listAuditRecords(request: AuditListRequest): Promise<AuditList>
  /** Who has been given an access token, now or long ago. */
  findReleases(search: ReleaseSearch): Promise<FoundReleases>
}

export interface AuditListRequest {
  readonly from?: number
  readonly until?: number
  readonly caller?: string
  readonly provider?: string
  readonly account?: string
  readonly event?: string
  readonly oldestFirst: boolean
  readonly pageSize: number
  readonly pageToken: string
  /** Which connections the caller may see; what is about none has two empty names. */
  readonly visible: (name: ConnectionName) => boolean
}

export interface AuditList {
  readonly records: readonly AuditRow[]
  readonly nextPageToken: string
}

export interface ReleaseSearch {
  readonly token: Secret
  readonly caller: CallerIdentity
  /** Which connections the caller may see. */
  readonly visible: (name: ConnectionName) => boolean
}

export interface FoundReleases {
  readonly fingerprint: string
  /** The latest first. */
  readonly releases: readonly ReleaseRow[]
}
