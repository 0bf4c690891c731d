import { createHash } from 'node:crypto'
import type { OAuthClient } from '../oauth/client.ts'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import type { Secret } from '../secret.ts'
import type { Keyring } from '../store/keyring.ts'
import type { ConnectionRow } from '../store/rows.ts'
import { BrokerError } from './errors.ts'
import { createGovernor } from './governor/create-governor.ts'
import { governClient } from './governor/governed-client.ts'
import type { Governor } from './governor/governor.ts'
import type { Clock } from './ports.ts'
import { createObservations, type Observations } from './refresh/evidence.ts'

/** A configured provider at work. */
export interface ProviderHandle {
  readonly provider: Provider
  /** Every request but `refresh` enters the governor by itself; whoever calls that holds a pass. */
  readonly client: OAuthClient
  /** The same without the governor, for whoever holds a pass. */
  readonly ungoverned: OAuthClient
  /** The complete definition as far as it is known without a request; `undefined` before the issuer was asked. */
  knownDefinition(): Definition | undefined
  readonly governor: Governor
  readonly observations: Observations
  /** Names the client id that tokens belong to; a plain column, so that a moved client is recognised. */
  readonly clientFingerprint: string
  readonly staticToken?: { readonly accessToken: Secret; readonly version: string }
}

/** The configured providers by id. */
export interface Providers {
  /** @throws BrokerError `PROVIDER_NOT_FOUND` */
  get(id: string): ProviderHandle
  has(id: string): boolean
  all(): readonly ProviderHandle[]
}

/** Puts clients, governors and fingerprints beside the configured providers. */
export function createProviders(clients: readonly OAuthClient[], keyring: Keyring, clock: Clock): Providers {
  const handles = new Map(
    clients.map(client => [client.provider.id, createHandle(client, keyring, clock)] as const),
  )
  return {
    has: id => handles.has(id),
    all: () => [...handles.values()].sort((a, b) => (a.provider.id < b.provider.id ? -1 : 1)),
    get(id) {
      const handle = handles.get(id)
      if (handle !== undefined) return handle
      throw new BrokerError('PROVIDER_NOT_FOUND', `no provider "${id}" is configured`, {
        metadata: { provider: id },
        help: 'Add the provider to the configuration, or check the spelling with: token-broker list --providers',
      })
    },
  }
}

function createHandle(client: OAuthClient, keyring: Keyring, clock: Clock): ProviderHandle {
  const { provider } = client
  const token = provider.staticAccessToken
  const governor = createGovernor(provider.limits, clock)
  const governed = governClient(client, governor, clock)
  let known = client.written.issuer === undefined ? client.written : undefined
  return {
    provider,
    client: {
      ...governed,
      async definition() {
        const found = await governed.definition()
        if (found.ok) known = found.value
        return found
      },
    },
    ungoverned: client,
    knownDefinition: () => known,
    governor,
    observations: createObservations(clock),
    clientFingerprint: createHash('sha256')
      .update(provider.clientId ?? '')
      .digest('hex')
      .slice(0, 16),
    staticToken: token && { accessToken: token, version: keyring.fingerprint(token) },
  }
}

/**
 * Replaces each `{name}` by the variable's value, or by nothing. For what is shown, compared and handed to
 * callers; requests use templates that refuse gaps.
 */
export function fillVariables(template: string, variables: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => variables[name] ?? '')
}

/** What the addresses of a grant's endpoints are filled in with. */
export type EndpointValues = Pick<ConnectionRow, 'variables' | 'attributes' | 'providerAccountId'>

/** Origin of the endpoint that refresh tokens of a grant go to; what its tokens are sealed for. */
export function tokenOriginOf(
  handle: ProviderHandle,
  { operations }: Definition,
  values: EndpointValues,
): string {
  return originOfEndpoint(handle, operations.refresh?.url ?? operations.exchange?.url, values)
}

/** Origin of an endpoint, filled in as the request will be; empty where there is no address. */
export function originOfEndpoint(
  { provider }: ProviderHandle,
  url: string | undefined,
  { variables, attributes, providerAccountId }: EndpointValues,
): string {
  const own = { ...attributes, ...variables, provider_account_id: providerAccountId }
  const all = { ...provider.variables, ...own, client_id: provider.clientId ?? '' }
  return URL.parse(fillVariables(url ?? '', all))?.origin ?? ''
}

/**
 * Whether the configuration moved away from what a connection's tokens were issued and sealed for.
 *
 * @param definition `undefined` = not known yet, so that only the client can be compared
 */
export function hasMoved(
  handle: ProviderHandle,
  definition: Definition | undefined,
  row: EndpointValues & Pick<ConnectionRow, 'clientFingerprint' | 'tokenOrigin'>,
): boolean {
  if (row.clientFingerprint !== handle.clientFingerprint) return true
  return definition !== undefined && row.tokenOrigin !== tokenOriginOf(handle, definition, row)
}
