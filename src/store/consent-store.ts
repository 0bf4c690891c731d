import type { ConsentHold, ConsentOutcome, ConsentRow, ConsentStart } from './consent-rows.ts'
import type { AuditEntry } from './record-rows.ts'

/** The part of the store that remembers consents; what `Store` promises holds here too. */
export interface ConsentStore {
  createConsent(consent: ConsentRow, entry?: AuditEntry): Promise<void>
  findConsent(id: string): Promise<ConsentRow | undefined>
  findConsentByLink(linkHash: string): Promise<ConsentRow | undefined>
  /**
   * Uses up the link: sets the browser's state if the consent is PENDING, not yet started and not expired.
   *
   * @returns the started consent, or `undefined` if the link was already used, ended, or never existed
   */
  startConsent(linkHash: string, start: ConsentStart): Promise<ConsentRow | undefined>
  /**
   * Uses up the state: finds the started consent and clears its `stateHash`, so that it can be taken once.
   * Expiry is for the caller to judge.
   */
  takeConsentByState(stateHash: string): Promise<ConsentRow | undefined>
  /**
   * Makes a PENDING consent HELD, with what its callback brought.
   *
   * @returns whether it was PENDING
   */
  holdConsent(id: string, hold: ConsentHold, entry?: AuditEntry): Promise<boolean>
  /**
   * Uses up the receipt of a HELD consent and lets what is sealed live until `expiresAt`, in which time it is used.
   * Whether the receipt fits, and the expiry, are for the caller to judge.
   *
   * @returns the consent as it was before, or `undefined` if it is not HELD or was taken
   */
  takeHeldConsent(id: string, expiresAt: number): Promise<ConsentRow | undefined>
  /**
   * Ends HELD consents with `expiresAt <= now` as EXPIRED and drops what was sealed for them.
   *
   * @param entryOf makes the audit entry of each; must not throw
   * @returns those that were ended, as they are now
   */
  expireHeldConsents(now: number, entryOf?: (consent: ConsentRow) => AuditEntry): Promise<ConsentRow[]>
  /** Records the outcome of a PENDING or HELD consent and drops what was sealed for it. */
  finishConsent(id: string, outcome: ConsentOutcome, entry?: AuditEntry): Promise<void>
  /** Removes consents that were created before that time. */
  pruneConsents(createdBefore: number): Promise<void>
}
