/** Records who was given what, before it is given. */
export interface Audit {
  /**
   * Resolves once the release is durably recorded. The first release of a token version to a caller is
   * written before this resolves; repeats are counted in memory and written in summary.
   *
   * @throws AuditError if a first release cannot be recorded
   */
  recordRelease(release: TokenRelease): Promise<void>
  /** Writes what is only counted so far. */
  flush(): Promise<void>
}

/** One hand-out of an access token. */
export interface TokenRelease {
  readonly caller: string
  /** How the caller proved its name. */
  readonly authentication: string
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly version: string
  /** Names the access token without revealing it. */
  readonly fingerprint: string
}

/** The release could not be recorded, so the token must not leave. */
export class AuditError extends Error {
  constructor(options: ErrorOptions) {
    super('the release of a token could not be recorded', options)
    this.name = 'AuditError'
  }
}
