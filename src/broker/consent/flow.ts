import type { Secret } from '../../secret.ts'
import type { ConnectionStatus } from '../broker.ts'

/**
 * Consent as the browser walks it: look at the link (GET, changes nothing), start (POST, uses the link up),
 * come back from the provider (callback).
 */
export interface ConsentFlow {
  /** What the link would connect. */
  view(linkToken: Secret): Promise<ConsentView>
  /** Uses the link up; the browser leaves for `authorizationUrl`. `cookie` binds the way back to this browser. */
  start(linkToken: Secret, cookie: Secret): Promise<ConsentDeparture>
  /** The way back. `path` decides which provider is meant; `parameters` are the query's, in order. */
  finish(callback: ConsentCallback): Promise<ConsentResult>
  /** Whether a path is some provider's redirect path. */
  isRedirectPath(path: string): boolean
}

export type ConsentView =
  | {
      readonly kind: 'ready'
      readonly provider: string
      readonly definition: string
      readonly account: string
      /** Host of the authorization server that the browser will be sent to. */
      readonly host: string
      readonly scopes: readonly string[]
      readonly createdBy: string
      readonly expiresAt: number
      /** Host of the service to which the browser goes in the end, which has to confirm its user; absent = none. */
      readonly returnHost?: string
      /** The account that is connected now and will be replaced; absent if none. */
      readonly replaces?: { readonly providerAccountId: string; readonly providerAccountName: string }
    }
  | { readonly kind: 'used' | 'expired' | 'unknown' }

export type ConsentDeparture =
  | {
      readonly kind: 'leave'
      readonly provider: string
      readonly authorizationUrl: Secret
      readonly host: string
    }
  | { readonly kind: 'used' | 'expired' | 'unknown' }
  | { readonly kind: 'unavailable'; readonly error: ConsentError }

export interface ConsentCallback {
  readonly path: string
  readonly parameters: readonly (readonly [name: string, value: Secret])[]
  /** The binding cookie's value, if the browser sent one. */
  readonly cookie?: Secret
  /** Where the browser is, for the audit; absent = unknown. */
  readonly peer?: string
}

export type ConsentResult =
  /** The browser goes on to the asking service: with a receipt if a code is held, else with the reason. */
  | { readonly kind: 'returned'; readonly url: Secret; readonly host: string }
  | { readonly kind: 'connected'; readonly status: ConnectionStatus }
  | {
      readonly kind: 'failed'
      readonly provider: string
      readonly account: string
      readonly error: ConsentError
    }
  /** Nothing is known of this state: replayed, forged, or too old. */
  | { readonly kind: 'unknown' }
  /** The state was good, the browser is not the one that started: the consent has ended for safety. */
  | { readonly kind: 'foreign_browser' }
  | { readonly kind: 'expired' }

export interface ConsentError {
  readonly reason: ConsentFailure
  readonly message: string
  readonly providerCode: string
}

/** Why a consent did not complete. */
export type ConsentFailure =
  | 'DENIED'
  | 'PROVIDER_ERROR'
  | 'EXCHANGE_FAILED'
  | 'ACCOUNT_CHANGED'
  | 'SCOPES_MISSING'
  | 'ISSUER_MISMATCH'
  | 'BAD_CALLBACK'
  | 'NOT_STORED'
  | 'SUPERSEDED'
  /** The asking service did not confirm its user: another caller, user or receipt. */
  | 'NOT_CONFIRMED'
