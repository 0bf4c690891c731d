import type { Audit } from '../../audit/audit.ts'
import type { AccessToken, TokenRequest } from '../broker.ts'
import { type Connection, isAlive, lifetimeLeft, lifetimeOf } from '../connection.ts'
import type { Connections } from '../connections.ts'
import { BrokerError } from '../errors.ts'
import type { CallerLimit } from '../policy/caller-limit.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle, Providers } from '../providers.ts'
import type { RefreshOutcome } from '../refresh/outcome.ts'
import type { Refresher } from '../refresh/refresher.ts'
import { accessTokenOf, staticTokenOf } from './answer.ts'
import type { ClientCredentials } from './client-credentials.ts'
import { meetsMinTtl } from './freshness.ts'
import { isHeldOff, lastErrorOf } from './held-off.ts'
import type { RejectionLimit } from './rejection-limit.ts'
import { recordRelease, recordStaticRelease } from './release.ts'
import { rotatesNotBefore } from './rotation.ts'
import { standingOf } from './standing.ts'
import {
  consentRequired,
  deadOnArrival,
  minTtlNotYet,
  minTtlUnreachable,
  noRefreshToken,
  requireScopes,
  unreadable,
} from './token-errors.ts'
import { waitFor } from './wait.ts'

/** What handing out tokens needs. */
export interface TokenPorts {
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly clientCredentials: ClientCredentials
  readonly rejections: RejectionLimit
  readonly forced: CallerLimit
  readonly audit: Audit
  readonly clock: Clock
  readonly touch: (connection: Connection) => void
}

/** A request before anybody is given anything. */
type Wish = Omit<TokenRequest, 'caller'> & Partial<Pick<TokenRequest, 'caller'>>

/** Hands out access tokens: from memory while they are good, after the one refresh in flight otherwise. */
export async function getAccessToken(ports: TokenPorts, request: TokenRequest): Promise<AccessToken> {
  const handle = ports.providers.get(request.provider)
  const connection =
    (await ports.connections.load(request)) ?? (await ports.clientCredentials.connect(handle, request))
  if (connection === null) return releaseStatic(ports, handle, request)
  const usable = await usableConnection(ports, handle, connection, request)
  // A refresh or a new consent may have brought fewer scopes.
  requireScopes(handle, usable.row, request.requiredScopes)
  return release(ports, handle, usable, request)
}

/** The connection whose token the caller may have: as it is, or after a refresh. */
async function usableConnection(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  request: Wish,
): Promise<Connection> {
  const { row } = connection
  if (connection.tokens === undefined) throw unreadable(row, connection.unreadable)
  requireScopes(handle, row, request.requiredScopes)
  if (request.rejectedVersion === row.version) return replaceRejected(ports, handle, connection, request)

  const standing = standingOf(handle, connection, request.minTtlMs, ports.clock)
  switch (standing.freshness) {
    case 'fresh':
      return connection
    case 'renew':
      renewBehind(ports, connection)
      return connection
    case 'wait':
      // A token has lived for the length of a request when it arrives.
      if ((request.minTtlMs ?? 0) >= standing.lifetime) {
        throw minTtlUnreachable(handle, row, standing.lifetime)
      }
      if (isKeptForOthers(ports, handle, connection)) return asItIs(ports, handle, connection, request)
      limitWish(ports, connection, request)
      return refreshed(ports, handle, connection, request)
  }
}

/** Whether a refresh now would kill a token that others were promised. One that is under way does so anyway. */
function isKeptForOthers(ports: TokenPorts, handle: ProviderHandle, connection: Connection): boolean {
  const { row } = connection
  const until = rotatesNotBefore(handle, row)
  const isPromised = until !== undefined && ports.clock.now() < until && isAlive(connection, ports.clock)
  return isPromised && !ports.refresher.isRefreshing(row.id)
}

/** Whoever did not say how long the token has to live takes what there is. */
function asItIs(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  { minTtlMs }: Wish,
): Connection {
  if (minTtlMs === undefined) return connection
  requireRefreshable(ports, handle, connection)
  throw minTtlNotYet(handle, connection, ports.clock)
}

/** A min_ttl just below the lifetime would have a good token refreshed at every call. */
function limitWish(ports: TokenPorts, connection: Connection, { minTtlMs, caller }: Wish): void {
  const isGoodForMost = minTtlMs !== undefined && stillGood(ports, connection, { minTtlMs: undefined })
  if (isGoodForMost) admitForced(ports, connection, caller)
}

/** Counts a refresh that a caller is about to start although the token is good; joining one costs nothing. */
function admitForced(ports: TokenPorts, { row }: Connection, caller: Wish['caller']): void {
  if (ports.refresher.isRefreshing(row.id)) return
  if (caller !== undefined) ports.forced.admit(caller.name)
  ports.rejections.admit(row.id)
}

/** Starts a refresh that nobody waits for, if the connection may and can be refreshed now. */
export function renewBehind(ports: TokenPorts, connection: Connection): void {
  const { row } = connection
  const mayStart = row.state === 'ACTIVE' && !isHeldOff(row, ports.clock.now())
  if (mayStart && canRefresh(ports, connection)) {
    void ports.refresher.refresh(connection, 'renewal').catch(() => {})
  }
}

function canRefresh(ports: TokenPorts, { row, tokens }: Connection): boolean {
  const { mode } = ports.providers.get(row.provider).provider.definition.refresh
  return mode !== 'refresh_token' || tokens?.refreshToken !== undefined
}

async function replaceRejected(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  request: Wish,
): Promise<Connection> {
  requireRefreshable(ports, handle, connection)
  admitForced(ports, connection, request.caller)
  const outcome = await wait(ports, connection, request)
  if (!outcome.ok) throw outcome.error
  if (isAlive(outcome.connection, ports.clock)) return outcome.connection
  return refreshed(ports, handle, outcome.connection, request, true)
}

/**
 * The connection after the one refresh in flight.
 *
 * @throws BrokerError if it did not bring a token that the caller can use
 */
export async function refreshed(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  request: Wish,
  isSecond = false,
): Promise<Connection> {
  requireRefreshable(ports, handle, connection)
  const outcome = await wait(ports, connection, request)
  if (stillGood(ports, outcome.connection, request)) return outcome.connection
  if (!outcome.ok) throw outcome.error
  if (!isAlive(outcome.connection, ports.clock)) {
    // A clock that jumped while it was under way has ended it; where tokens live too short, the next one dies, too.
    if (isSecond) throw deadOnArrival(outcome.connection.row)
    return refreshed(ports, handle, outcome.connection, request, true)
  }
  if (request.minTtlMs === undefined) return outcome.connection
  throw minTtlUnreachable(handle, outcome.connection.row, lifetimeOf(outcome.connection.row) ?? 0)
}

/** Throws where a refresh would bring nothing now: the grant is dead, it has just failed, or there is no means. */
function requireRefreshable(ports: TokenPorts, handle: ProviderHandle, connection: Connection): void {
  const { row } = connection
  const now = ports.clock.now()
  if (row.state === 'REAUTH_REQUIRED' || isHeldOff(row, now)) throw lastErrorOf(handle, connection, now)
  // Without means an expired token is the end of the connection, which the refresh records.
  if (isAlive(connection, ports.clock) && !canRefresh(ports, connection)) throw noRefreshToken(row)
}

function stillGood(ports: TokenPorts, connection: Connection, request: Pick<Wish, 'minTtlMs'>): boolean {
  const lifetime = lifetimeOf(connection.row) ?? Number.POSITIVE_INFINITY
  return (
    connection.tokens !== undefined &&
    meetsMinTtl(lifetimeLeft(connection, ports.clock), lifetime, request.minTtlMs)
  )
}

/** Waits for the refresh in flight, each caller by its own patience; the refresh itself goes on. */
function wait(ports: TokenPorts, connection: Connection, request: Wish): Promise<RefreshOutcome> {
  const { provider } = connection.row
  return waitFor(ports.refresher.refresh(connection), ports.clock, request.signal, provider)
}

async function release(
  ports: TokenPorts,
  handle: ProviderHandle,
  connection: Connection,
  request: TokenRequest,
): Promise<AccessToken> {
  const { row, tokens } = connection
  if (tokens === undefined) throw unreadable(row, connection.unreadable)
  // It may have waited long for this token.
  request.authorize?.()
  await recordRelease(ports, request, row.id, row.version, tokens)
  const current = ports.connections.peek(row)
  // Whoever was told meanwhile that it is disconnected may rely on it.
  if (current === null) throw consentRequired(row)
  if (current !== undefined && current.row.id !== row.id) return getAccessToken(ports, request)
  ports.touch(connection)
  return accessTokenOf(handle, connection, tokens)
}

async function releaseStatic(
  ports: TokenPorts,
  handle: ProviderHandle,
  request: TokenRequest,
): Promise<AccessToken> {
  const token = handle.staticToken
  if (token === undefined || request.account !== '') throw consentRequired(request)
  if (request.rejectedVersion === token.version) {
    throw new BrokerError('STATIC_TOKEN_REJECTED', `the static token of ${request.provider} was refused`, {
      metadata: { provider: request.provider, account: '' },
      help: `Replace static_access_token in the configuration, or connect: token-broker connect ${request.provider}`,
    })
  }
  requireScopes(handle, { ...request, requestedScopes: handle.provider.scopes }, request.requiredScopes)
  request.authorize?.()
  await recordStaticRelease(ports, request, token)
  return staticTokenOf(handle, token)
}
