/**
 * Records who was given what, and what was done to grants, keys and rules. What it writes is in `docs/audit.md`.
 */
export interface Audit {
  /**
   * Resolves once the release is durably recorded. The first release of a token version to a caller is
   * written before this resolves; repeats are counted in memory and written in summary.
   *
   * @throws AuditError if a first release cannot be recorded, at the latest after `WRITE_MS_MAX`
   */
  recordRelease(release: TokenRelease): Promise<void>
  /**
   * Makes the entry of an event, to be given to a method of the store that writes it in the transaction of the
   * change itself.
   */
  entry(event: AuditEvent): AuditEntry
  /**
   * Records an event; it is durable when this resolves. To be awaited before anybody is told of what happened.
   *
   * @throws AuditError if it cannot be recorded, at the latest after `WRITE_MS_MAX`
   */
  record(event: AuditEvent): Promise<void>
  /**
   * Records an event soon: for what has happened whether or not it can be recorded. While it cannot be written it is
   * kept in memory and tried again; too many of them drop the oldest, and the next one that is written says how many.
   */
  note(event: AuditEvent): void
  /**
   * Records that a call was refused: the first of its kind in a minute at once, the others as a count after it.
   * Never waits, never throws.
   */
  recordDenial(denial: Denial): void
  /** Counts a refresh that changed no state; written once an hour for each provider and outcome. */
  countRefresh(provider: string, outcome: AuditOutcome): void
  /** Why it cannot be written now; absent = it can, as far as is known. */
  trouble(): string | undefined
  /** Writes what is only counted so far and what still waits. @throws AuditError if that fails */
  flush(): Promise<void>
}

/** What happened. A closed set; `docs/audit.md` says what each means. */
export const AUDIT_EVENTS = [
  'TOKEN_RELEASED',
  'CALL_DENIED',
  'CONSENT_LINK_CREATED',
  'CONSENT_HELD',
  'CONSENT_COMPLETED',
  'CONSENT_FAILED',
  'CONNECTION_IMPORTED',
  'CONNECTION_DISCONNECTED',
  'REVOCATION_ENDED',
  'CONNECTION_REBOUND',
  'CONNECTION_IDENTIFIED',
  'CONNECTION_STATE_CHANGED',
  'REFRESH_FORCED',
  'REFRESHES_COUNTED',
  'POLICY_CHANGED',
  'KEYS_ROTATED',
  'KEYS_REWRAPPED',
  'KEY_RETIRED',
  'STORE_RESTORED',
  'AUDIT_SEARCHED',
  'AUDIT_INTERRUPTED',
  'AUDIT_RECORDS_LOST',
  'BROKER_STARTED',
  'BROKER_STOPPED',
] as const

/** One of {@link AUDIT_EVENTS}. */
export type AuditEventName = (typeof AUDIT_EVENTS)[number]

/** How it ended. */
export type AuditOutcome = 'SUCCEEDED' | 'FAILED' | 'DENIED'

/** Where a call came from. Its fields may be worked out when they are first read. */
export interface CallOrigin {
  /** The caller's own `x-request-id`, or one that was made for the call. */
  readonly requestId: string
  /** Address and port of the peer. */
  readonly peer: string
}

/** Who made a call. */
export interface AuditCaller {
  readonly name: string
  /** How the caller proved its name. */
  readonly authentication: string
  readonly origin?: CallOrigin
}

/** Something that happened. Text from callers and providers may be given as it is: it is escaped and clipped here. */
export interface AuditEvent {
  readonly event: AuditEventName
  /** Default: SUCCEEDED. */
  readonly outcome?: AuditOutcome
  /** Why, as a closed code. Default: none. */
  readonly reason?: string
  /** Absent = nobody called: the broker did it by itself, or a browser. */
  readonly caller?: AuditCaller
  /** Where a browser came from. Default: the caller's peer. */
  readonly peer?: string
  readonly provider?: string
  /** `""` is the system-level credential where a provider is named. */
  readonly account?: string
  readonly connectionId?: string
  readonly version?: string
  /** The key that seals what was stored or handed out. */
  readonly keyId?: string
  /** Names a token without revealing it. */
  readonly fingerprint?: string
  /** How many occurrences this is. Default: 1. */
  readonly count?: number
  /** What else is to be known; no secret. */
  readonly details?: Readonly<Record<string, string | readonly string[]>>
}

/** A record before it is stored: what is unknown is empty. */
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
  readonly keyId: string
  readonly fingerprint: string
  readonly count: number
  readonly details: Readonly<Record<string, string>>
}

/** One hand-out of an access token. */
export interface TokenRelease {
  readonly caller: string
  /** How the caller proved its name. */
  readonly authentication: string
  readonly origin?: CallOrigin
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly version: string
  /** Names the access token without revealing it. */
  readonly fingerprint: string
  /** The key that seals it; absent for a static token. */
  readonly keyId?: string
}

/** One refused call. */
export interface Denial {
  /** Why: `CALLER_UNAUTHENTICATED`, `ACCESS_DENIED` and the like. */
  readonly reason: string
  /** The RPC without its service, or what a browser did. */
  readonly method: string
  /** Absent = nobody knows who it was. */
  readonly caller?: AuditCaller
  /** Default: the caller's. */
  readonly origin?: CallOrigin
  readonly provider?: string
  readonly account?: string
}

/** It could not be recorded, so what depends on it must not happen. */
export class AuditError extends Error {
  constructor(options: ErrorOptions) {
    super('the audit record could not be written', options)
    this.name = 'AuditError'
  }
}
