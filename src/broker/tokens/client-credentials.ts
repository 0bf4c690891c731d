import type { Audit } from '../../audit/audit.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { NewGrant } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { grantStored } from '../audit/state-audit.ts'
import type { ConnectionName, TokenRequest } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { type Connections, guard } from '../connections.ts'
import { endpointOriginsOf } from '../endpoint-origins.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Random } from '../ports.ts'
import { type ProviderHandle, tokenOriginOf } from '../providers.ts'
import { refreshError } from '../refresh/refresh-error.ts'
import { judgeFirst } from '../refresh/verdict.ts'
import { nextRefresh } from '../renewal/schedule.ts'
import { sealAnswer } from '../seal-answer.ts'
import { waitFor } from './wait.ts'

/** Connections that need no human: the client's own (RFC 6749 section 4.4). */
export interface ClientCredentials {
  /**
   * Connects the system-level credential at first use.
   *
   * @returns `null` where the provider's definition is of another kind, or the account is not `""`
   * @throws BrokerError if the provider refuses or does not answer
   */
  connect(handle: ProviderHandle, request: Omit<TokenRequest, 'caller'>): Promise<Connection | null>
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
}

/** Creates the connector; callers that come at once share one request. */
export function createClientCredentials(ports: Ports): ClientCredentials {
  const inFlight = new Map<string, Promise<Connection>>()
  /** The last refusal of each provider, which is answered until a new request makes sense. */
  const refusals = new Map<string, { readonly error: BrokerError; readonly until: number }>()

  async function tryToObtain(handle: ProviderHandle): Promise<Connection> {
    const { id } = handle.provider
    const refusal = refusals.get(id)
    if (refusal !== undefined && ports.clock.monotonic() < refusal.until) throw refusal.error
    refusals.delete(id)
    try {
      return await obtain(ports, handle)
    } catch (error) {
      if (error instanceof BrokerError && error.reason === 'PROVIDER_UNAVAILABLE') {
        refusals.set(id, { error, until: ports.clock.monotonic() + (error.details.retryAfterMs ?? 0) })
      }
      throw error
    }
  }

  return {
    async connect(handle, request) {
      const { id, definition } = handle.provider
      if (definition.refresh.mode !== 'client_credentials' || request.account !== '') return null
      const running = inFlight.get(id) ?? tryToObtain(handle).finally(() => inFlight.delete(id))
      inFlight.set(id, running)
      return waitFor(running, ports.clock, request.signal, id)
    },
  }
}

async function obtain(ports: Ports, handle: ProviderHandle): Promise<Connection> {
  const { store, keyring, connections, clock, random } = ports
  const { provider, client, governor } = handle
  const name: ConnectionName = { provider: provider.id, account: '' }
  const entry = await governor.enter('demand').entered
  if (!entry.admitted) throw refreshError(handle, name, entry, clock.now())

  const sent = clock.monotonic()
  const result = await client.refresh({ scopes: provider.scopes, variables: provider.variables })
  const found = await client.definition()
  if (!result.ok || !found.ok) {
    const failure = result.ok ? undefined : result.failure
    // What is refused here is the client itself, not a grant among others.
    if (failure) entry.pass.failed(failure, { explained: true })
    else entry.pass.unused()
    throw refreshError(handle, name, judgeFirst(failure, clock.now(), random.fraction()), clock.now())
  }
  entry.pass.succeeded()

  const answer = result.value
  const place = {
    id: random.token(16),
    grantEpoch: 1,
    tokenOrigin: tokenOriginOf(handle, found.value, { ...answer, variables: provider.variables }),
  }
  const now = clock.now()
  const grant: NewGrant = {
    ...name,
    ...place,
    ...sealAnswer(place, answer, client.secretInUse(), keyring, random),
    endpointOrigins: endpointOriginsOf(handle, found.value, { ...answer, variables: provider.variables }),
    expected: null,
    clientFingerprint: handle.clientFingerprint,
    requestedScopes: provider.scopes,
    variables: provider.variables,
    connectTime: now,
    nextRefreshAt: nextRefresh(
      found.value.refresh,
      { obtainedAt: answer.sentAt, expiresAt: answer.expiresAt, lastUsedAt: now, hasRefreshToken: false },
      now,
      random.fraction(),
    ),
    cancelRevocations: false,
  }
  const stored = await guard(store.saveGrant(grant, grantStored(ports.audit, grant, 'CLIENT_CREDENTIALS')))
  if (stored !== undefined) return connections.put(stored, sent)
  const existing = await connections.load(name)
  if (existing !== null) return existing
  throw refreshError(handle, name, judgeFirst(undefined, now, 0), now)
}
