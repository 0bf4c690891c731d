import type { Secret } from '../../secret.ts'
import type { CallerIdentity, ConnectionName, ConnectionStatus } from '../broker.ts'
import type { ConsentError } from './flow.ts'

/** A consent to be begun for one connection. */
export interface ConsentLinkRequest extends ConnectionName {
  readonly caller: CallerIdentity
  /** Empty = the provider's configured scopes. */
  readonly scopes: readonly string[]
  readonly variables: Readonly<Record<string, string>>
  /** Who is to come back, in the asking service's words; empty exactly where `returnId` is. */
  readonly subject: string
  /** Where the browser goes in the end; makes it two steps. Empty = one step. */
  readonly returnId: string
  readonly allowAccountChange: boolean
}

/** How a human begins it. */
export interface ConsentLink {
  /** Single use; whoever has it can start this consent. */
  readonly url: Secret
  readonly consentId: string
  readonly expiresAt: number
}

/** What the service that asked says of its user, once the browser is back there. */
export interface ConsentConfirmation {
  readonly caller: CallerIdentity
  readonly consentId: string
  /** What the browser carried to the return URL. */
  readonly receipt: Secret
  /** Who is logged in there now. */
  readonly subject: string
}

/** One consent, and how it went so far. */
export interface Consent extends ConnectionName {
  readonly consentId: string
  readonly state: 'PENDING' | 'HELD' | 'COMPLETED' | 'DENIED' | 'EXPIRED' | 'FAILED'
  readonly error?: ConsentError
  /** Set once COMPLETED. */
  readonly status?: ConnectionStatus
  readonly createdAt: number
  /** When the link, the browser's way, or the time to confirm ends. */
  readonly expiresAt: number
}
