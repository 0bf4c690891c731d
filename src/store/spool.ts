import type { Base, ConnectionRow, KeptRefreshToken, RefreshSuccess } from './rows.ts'

/**
 * Where the tokens of a refresh wait while the store cannot take them: they may be the only ones that still
 * work. `test/store/contract-spool.ts` is the executable form of this contract.
 *
 * - Secret material arrives sealed for its row and leaves sealed.
 * - Calls run one after the other, in the order in which they were made.
 */
export interface Spool {
  /**
   * Keeps the commit; it is durable when the promise resolves. If it rejects, nothing was kept.
   *
   * @throws SpoolError `full`, `unavailable`
   */
  append(commit: SpooledCommit): Promise<void>
  /** What is kept, the oldest first. `damaged` counts the records that the last start could not read. */
  list(): Promise<SpooledCommits>
  /**
   * Wipes every record of that base; nothing if there is none.
   *
   * @throws SpoolError `unavailable`; the record is then still listed
   */
  remove(base: Base): Promise<void>
  /** Waits for calls under way; what is kept stays for the next start. */
  close(): Promise<void>
}

/** A commit that the store owes. */
export interface SpooledCommit {
  readonly provider: string
  readonly account: string
  readonly base: Base
  /** `KeptRefreshToken` where the answer held no usable access token. */
  readonly outcome: RefreshSuccess | KeptRefreshToken
  /** Whose the tokens are, so that they can be revoked if their connection is gone by then. */
  readonly grant: SpooledGrant
}

/** What a revocation needs to know of a grant beside its tokens. */
export type SpooledGrant = Pick<
  ConnectionRow,
  'tokenOrigin' | 'endpointOrigins' | 'clientFingerprint' | 'providerAccountId' | 'variables' | 'attributes'
>

export interface SpooledCommits {
  readonly commits: readonly SpooledCommit[]
  readonly damaged: number
}

/** The spool cannot keep or wipe a commit now: it is `full`, or its file is `unavailable`. */
export class SpoolError extends Error {
  readonly reason: 'full' | 'unavailable'

  constructor(reason: SpoolError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SpoolError'
    this.reason = reason
  }
}
