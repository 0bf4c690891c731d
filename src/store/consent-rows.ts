import type { AuditEntry } from './record-rows.ts'

export type ConsentState = 'PENDING' | 'HELD' | 'COMPLETED' | 'DENIED' | 'EXPIRED' | 'FAILED'

/** One consent, from its link to its outcome. Hashes are lower-case hex SHA-256. */
export interface ConsentRow {
  readonly id: string
  readonly linkHash: string
  readonly provider: string
  readonly account: string
  readonly scopes: readonly string[]
  readonly variables: Readonly<Record<string, string>>
  readonly subject: string
  readonly returnId: string
  readonly allowAccountChange: boolean
  /** The caller that created the link. */
  readonly createdBy: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly state: ConsentState
  readonly startedAt?: number
  readonly stateHash?: string
  readonly cookieHash?: string
  readonly sealedVerifier?: Uint8Array
  readonly redirectUri?: string
  readonly finishedAt?: number
  readonly errorReason?: string
  readonly errorMessage?: string
  readonly errorProviderCode?: string
  /** Of a HELD consent until it is taken: what the browser carries to the asking service. */
  readonly receiptHash?: string
  /** Of a HELD consent: the code and what came with it. */
  readonly sealedCode?: Uint8Array
}

export interface ConsentStart {
  readonly now: number
  /** The browser must be back by then. */
  readonly expiresAt: number
  readonly stateHash: string
  readonly cookieHash: string
  readonly sealedVerifier?: Uint8Array
  /** As it was sent, for the exchange. */
  readonly redirectUri: string
}

/** A consent that ends with the grant that it brought, in one transaction. */
export interface GrantedConsent {
  readonly id: string
  readonly outcome: ConsentOutcome
  /** Added if the grant is stored. */
  readonly entry?: AuditEntry
}

/** What a callback brought, to be kept until the asking service has confirmed its user. */
export interface ConsentHold {
  /** The confirmation must be there by then. */
  readonly expiresAt: number
  readonly receiptHash: string
  readonly sealedCode: Uint8Array
}

export interface ConsentOutcome {
  readonly state: Exclude<ConsentState, 'PENDING' | 'HELD'>
  readonly finishedAt: number
  readonly errorReason?: string
  readonly errorMessage?: string
  readonly errorProviderCode?: string
}
