/** One seed of the keyset, wrapped by the root key. */
export interface KeyRow {
  /** 8 bytes as lower-case hex. */
  readonly kid: string
  /** `seal` keys seal records; the one `fingerprint` key names tokens and is never rotated. */
  readonly purpose: 'seal' | 'fingerprint'
  readonly wrappedSeed: Uint8Array
  /** Fingerprint of the root key that wraps it. */
  readonly rootFingerprint: string
  readonly state: 'pending' | 'primary' | 'active' | 'retired'
  readonly createdAt: number
}

/** A seed that is wrapped by another root key than before. */
export interface RewrappedKey extends Pick<KeyRow, 'kid' | 'wrappedSeed' | 'rootFingerprint'> {
  /** The wrapped seed that it replaces. */
  readonly previous: Uint8Array
}

/** One hand-out of an access token to a caller. */
export interface Release {
  readonly caller: string
  readonly authentication: string
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly version: string
  /** Keyed fingerprint of the access token. */
  readonly fingerprint: string
  readonly at: number
  /** How many hand-outs this entry stands for, at least 1. */
  readonly count: number
  /** Recorded in the same transaction if this caller has not had this version yet. */
  readonly entry?: AuditEntry
}

/** All hand-outs of one version to one caller. */
export interface ReleaseRow extends Omit<Release, 'at' | 'entry'> {
  readonly firstAt: number
  readonly lastAt: number
}

/** A record of the audit before it is stored. Texts are empty where there is nothing to say. */
export interface AuditEntry {
  readonly time: number
  readonly event: string
  readonly outcome: string
  readonly reason: string
  readonly caller: string
  readonly authentication: string
  readonly provider: string
  readonly account: string
  readonly connectionId: string
  readonly version: string
  readonly requestId: string
  readonly peer: string
  /** The `kid` of the key that seals what this is about. */
  readonly keyId: string
  /** Keyed fingerprint of a token. */
  readonly fingerprint: string
  /** How many occurrences it stands for, at least 0. */
  readonly count: number
  readonly details: Readonly<Record<string, string>>
}

/** A stored record of the audit. */
export interface AuditRow extends AuditEntry {
  /** Counts up from 1; never used twice. */
  readonly sequence: number
}

/** Where a list of audit records goes on. */
export type AuditPosition = Pick<AuditRow, 'time' | 'sequence'>

/** Which audit records are listed, and in which order. */
export interface AuditQuery {
  /** From that time on. */
  readonly from?: number
  /** Before that time. */
  readonly until?: number
  readonly caller?: string
  readonly provider?: string
  readonly account?: string
  readonly event?: string
  /** Records that it refuses are passed over like those that do not match. Default: none. */
  readonly visible?: (row: AuditRow) => boolean
  readonly oldestFirst: boolean
  /** The list goes on behind it. */
  readonly after?: AuditPosition
  /** At least 1. */
  readonly limit: number
}

/** Some audit records. */
export interface AuditPage {
  readonly rows: readonly AuditRow[]
  /** Where the next page begins; absent = there is nothing more. A page may be empty and not the last. */
  readonly next?: AuditPosition
}
