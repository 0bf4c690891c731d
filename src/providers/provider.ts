import type { Secret } from '../secret.ts'
import type { Definition } from './definition.ts'

/** One OAuth client registration at one authorization server. */
export interface Provider {
  readonly id: string
  readonly definition: Definition
  /** `production`, or an environment of the definition. */
  readonly environment: string
  /** Absent only where there is nothing but a static token. */
  readonly clientId?: string
  /** The current secret first; several during a rotation; empty for a public client. */
  readonly clientSecrets: readonly Secret[]
  readonly scopes: readonly string[]
  readonly staticAccessToken?: Secret
  /** Absolute path on `publicUrl`, unique among the providers. */
  readonly redirectPath: string
  /** What the provider redirects the browser to: `publicUrl` + `redirectPath`. */
  readonly redirectUri: string
  readonly limits: { readonly concurrency: number; readonly perSecond: number }
  readonly missingScopes: 'report' | 'refuse'
  /** Values of the definition's variables that hold for every connection of this provider. */
  readonly variables: Readonly<Record<string, string>>
  /** PEM of the certificate authorities to trust for this provider. */
  readonly ca?: string
  /** Replaces the origin of every URL of the definition and is put before its path; aims at a sandbox. */
  readonly endpointsBase?: string
  /** Ranges of addresses beside the public internet's at which this provider may live. Absent = none. */
  readonly allowNetworks?: readonly string[]
}

/** Whether a human can ever consent: there is a client, and its grants are not its own credentials. */
export function hasConsent({ clientId, definition }: Pick<Provider, 'clientId' | 'definition'>): boolean {
  return clientId !== undefined && definition.refresh.mode !== 'client_credentials'
}
