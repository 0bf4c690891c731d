import type { ReleaseQuery } from './queries.ts'
import type { AuditEntry, AuditPage, AuditQuery, AuditRow, Release, ReleaseRow } from './record-rows.ts'

/** What a store remembers of who was given what, and who did what; part of the contract of `Store`. */
export interface AuditStore {
  /**
   * Records releases of access tokens to callers; a repeat of (caller, connection, version) only adds to the
   * count. The audit entry of a release is added if it is the first of its kind. The whole batch is one transaction.
   */
  recordReleases(releases: readonly Release[]): Promise<void>
  /** The releases of one version, or of one access token by its fingerprint, or all; the newest first. */
  listReleases(query: ReleaseQuery): Promise<ReleaseRow[]>
  /** Adds records to the audit, in one transaction; their sequence is that of the commits. */
  addAuditRecords(entries: readonly AuditEntry[]): Promise<void>
  /**
   * Audit records by time, those of one time by sequence. A page looks at a bounded number of them, so that a filter
   * that finds little does not hold up others: it may hold fewer than `limit` and still not be the last.
   */
  listAuditRecords(query: AuditQuery): Promise<AuditPage>
  /** Audit records with a higher sequence, the lowest first. */
  listAuditRecordsAfter(sequence: number, limit: number): Promise<AuditRow[]>
  /** The sequence up to which the audit was copied elsewhere; 0 = nothing was. */
  copiedAuditSequence(): Promise<number>
  /** Notes up to which sequence the audit was copied. */
  noteCopiedAuditSequence(sequence: number): Promise<void>
  /**
   * Removes audit records from before that time, and releases that were last repeated before it; of each at most
   * `limit`.
   *
   * @returns how many were removed
   */
  pruneAudit(before: number, limit: number): Promise<number>
}
