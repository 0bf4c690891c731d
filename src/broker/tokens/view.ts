import type { AccessToken, CallerIdentity, ConnectionName } from '../broker.ts'
import type { Connection } from '../connection.ts'
import type { ProviderHandle } from '../providers.ts'
import { accessTokenOf, staticTokenOf } from './answer.ts'
import { recordRelease, recordStaticRelease } from './release.ts'
import { standingOf } from './standing.ts'
import { consentRequired, unreadable } from './token-errors.ts'
import { refreshed, renewBehind, type TokenPorts } from './tokens.ts'

/**
 * What `getAccessToken` would answer for a connection at this moment: a token, or that it would wait first.
 * Any unexpired token is good here (`min_ttl` 0): a watcher is told as soon as its successor is there.
 */
export type TokenView = TokenAtHand | TokenAwaited

/** There is a token. */
export interface TokenAtHand {
  readonly kind: 'token'
  readonly token: AccessToken
  /** Absent for a static token. */
  readonly connection?: Connection
  /** Milliseconds until it should be renewed; absent = never; negative = it is time already. */
  readonly renewInMs?: number
  /** Milliseconds until it is no good any more; absent = never, or nobody knows. */
  readonly endsInMs?: number
  /**
   * Records that the caller is given the token; to be awaited before it leaves.
   *
   * @throws BrokerError `BROKER_UNAVAILABLE`
   */
  release(caller: CallerIdentity): Promise<void>
}

/** There is none yet: a refresh has to bring it. */
export interface TokenAwaited {
  readonly kind: 'wait'
  /**
   * Starts the refresh or joins the one in flight, as `getAccessToken` does, and waits as long.
   *
   * @throws BrokerError as `getAccessToken` does
   */
  wait(signal?: AbortSignal): Promise<unknown>
}

/**
 * Looks without waiting for any provider, and without recording a release. A token inside its renewal window is
 * renewed behind the scenes, as if it had been asked for.
 *
 * @throws BrokerError as `getAccessToken` would at once
 */
export async function viewToken(ports: TokenPorts, name: ConnectionName): Promise<TokenView> {
  const handle = ports.providers.get(name.provider)
  const connection = await ports.connections.load(name)
  return connection === null
    ? viewNothing(ports, handle, name)
    : viewConnection(ports, handle, connection, name)
}

function viewNothing(ports: TokenPorts, handle: ProviderHandle, name: ConnectionName): TokenView {
  const request = requestFor(name)
  if (name.account !== '') throw consentRequired(name)
  if (handle.provider.definition.refresh.mode === 'client_credentials') {
    return { kind: 'wait', wait: signal => ports.clientCredentials.connect(handle, { ...request, signal }) }
  }
  const { staticToken } = handle
  if (staticToken === undefined) throw consentRequired(name)
  return {
    kind: 'token',
    token: staticTokenOf(handle, staticToken),
    release: caller => recordStaticRelease(ports, { ...request, caller }, staticToken),
  }
}

function viewConnection(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  name: ConnectionName,
): TokenView {
  const { row, tokens } = connection
  const request = requestFor(name)
  if (tokens === undefined) throw unreadable(row, connection.unreadable)
  const { freshness, left, margin } = standingOf(handle, connection, request.minTtlMs, ports.clock)
  if (freshness === 'wait') {
    return { kind: 'wait', wait: signal => refreshed(ports, handle, connection, { ...request, signal }) }
  }
  if (freshness === 'renew') renewBehind(ports, connection)
  return {
    kind: 'token',
    token: accessTokenOf(handle, connection, tokens),
    connection,
    renewInMs: left === undefined ? undefined : left - margin,
    endsInMs: left,
    async release(caller) {
      await recordRelease(ports, { ...request, caller }, row.id, row.version, tokens)
      ports.touch(connection)
    },
  }
}

function requestFor({ provider, account }: ConnectionName) {
  return { provider, account, minTtlMs: 0, requiredScopes: [] }
}
