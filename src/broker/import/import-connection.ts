import type { Audit } from '../../audit/audit.ts'
import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { NewGrant } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { grantImported } from '../audit/state-audit.ts'
import type { Import, ImportRequest } from '../broker.ts'
import { type Connection, OBTAINED_UNKNOWN, sentAtBy } from '../connection.ts'
import { type Connections, guard } from '../connections.ts'
import { checkAttributes, checkVariables, requireGrants } from '../consent/grant-request.ts'
import { newGrant } from '../consent/new-grant.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log, Random } from '../ports.ts'
import { hasMoved, type ProviderHandle, type Providers } from '../providers.ts'
import type { Refresher } from '../refresh/refresher.ts'
import { statusOf } from '../status.ts'
import { waitFor } from '../tokens/wait.ts'
import { migrateToken } from './migration.ts'
import { checkCredential, connectionExists, providerSilent, requireAllScopes } from './refusals.ts'
import { requireVerifiable, verifyImported } from './verification.ts'

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Takes over a grant that another system obtained. Until it is stored nothing is changed, so that whatever is
 * refused can be tried again.
 *
 * @throws BrokerError `CONNECTION_EXISTS`; `REAUTH_REQUIRED` if the provider refuses the token;
 *   `PROVIDER_UNAVAILABLE` if it cannot be asked; `INVALID_REQUEST`, `SCOPE_NOT_GRANTED`,
 *   `PROVIDER_MISCONFIGURED`, `BROKER_UNAVAILABLE`
 */
export async function importConnection(ports: Ports, request: ImportRequest): Promise<Import> {
  const { providers, connections, clock } = ports
  const handle = providers.get(request.provider)
  requireGrants(handle, { act: 'renew an imported grant', noun: 'import' })
  checkVariables(handle, request.variables)
  checkAttributes(handle, request.attributes)
  const found = await handle.client.definition()
  if (!found.ok) throw providerSilent(request, found.failure)
  const definition = found.value

  const existing = await connections.load(request)
  if (existing !== null && isSameGrant(handle, definition, request, existing)) {
    return { outcome: 'ALREADY_THERE', status: statusOf(handle, request, existing, clock), note: '' }
  }
  // What is there may have expired since it was imported first: it is judged only where it would be stored.
  checkCredential(handle, request, clock.now())
  if (existing !== null && !request.replace) throw connectionExists(request)

  const answer = await obtain(ports, handle, definition, request)
  requireAllScopes(handle, request, answer)
  const connection = await store(ports, handle, definition, request, existing, answer)
  if (request.check === 'REFRESH') return refreshOnce(ports, handle, request, connection)
  return imported(ports, handle, request, connection)
}

/** The same tokens for another client or endpoint are not the same grant: those that are stored cannot be used. */
function isSameGrant(
  handle: ProviderHandle,
  definition: Definition,
  { credential, refreshToken }: ImportRequest,
  { row, tokens }: Connection,
): boolean {
  if (tokens === undefined || credential.kind !== 'access_token' || hasMoved(handle, definition, row))
    return false
  return refreshToken === undefined
    ? tokens.accessToken.expose() === credential.token.expose()
    : tokens.refreshToken?.expose() === refreshToken.expose()
}

/** The grant as if the provider had just answered it, checked if that is wanted. */
async function obtain(
  ports: Ports,
  handle: ProviderHandle,
  definition: Definition,
  request: ImportRequest,
): Promise<TokenAnswer> {
  const migrates = request.credential.kind === 'migration_token'
  const known = migrates ? undefined : answerOf(definition, request, ports.clock.now())
  // Before a migration nobody knows the scopes, so only the operation's being there can be asked for.
  if (request.check === 'VERIFY') requireVerifiable(handle, definition, request, known)
  const answer = known ?? (await migrateToken(ports, handle, request))
  return request.check === 'VERIFY' ? verifyImported(handle, request, answer) : answer
}

function answerOf({ answer }: Definition, request: ImportRequest, now: number): TokenAnswer {
  const { credential, refreshToken, expiresAt, refreshExpiresAt, scopes } = request
  const unstated = answer.assume_expires_in === 'never' ? 'NEVER' : 'UNKNOWN'
  return {
    accessToken: credential.token,
    refreshToken,
    tokenType: 'Bearer',
    expiresAt,
    expiry: expiresAt === undefined ? unstated : 'STATED',
    refreshExpiresAt,
    scopes: scopes.length > 0 ? scopes : undefined,
    providerAccountId: request.providerAccountId,
    providerAccountName: '',
    attributes: request.attributes,
    // The schedule counts from now, because nobody knows when it was issued.
    sentAt: Math.min(now, expiresAt ?? now),
  }
}

async function store(
  ports: Ports,
  handle: ProviderHandle,
  definition: Definition,
  request: ImportRequest,
  existing: Connection | null,
  answer: TokenAnswer,
): Promise<Connection> {
  const requestedScopes = request.scopes.length > 0 ? request.scopes : handle.provider.scopes
  const fresh = newGrant(ports, handle, definition, { ...request, requestedScopes }, existing, answer)
  const migrated = request.credential.kind === 'migration_token'
  const grant = migrated ? fresh : ofUnknownAge(fresh, definition, answer, ports.clock.now())
  const { caller, check } = request
  const entry = grantImported(ports.audit, grant, caller, check)
  const stored = await guard(ports.store.saveGrant(grant, entry))
  if (stored === undefined) throw connectionExists(request)
  const { provider, account } = request
  const requestId = caller?.origin?.requestId
  ports.log.info('Imported', { provider, account, version: stored.version, requestId })
  // Its end was told on the clock as it is now, whatever the clock was before.
  return ports.connections.put(stored, sentAtBy(ports.clock, stored.obtainedAt))
}

/**
 * A lifetime that the definition knows counts from the issue, of which an import says nothing. Where not even the
 * access token's end is known, a refresh that comes at once is the one that cannot come too late.
 */
function ofUnknownAge(grant: NewGrant, { refresh }: Definition, answer: TokenAnswer, now: number): NewGrant {
  const { refreshExpiresAt, refreshToken, expiry } = answer
  const renewable = refresh.mode !== 'refresh_token' || refreshToken !== undefined
  return {
    ...grant,
    obtainedAt: OBTAINED_UNKNOWN,
    clientSecretFingerprint: undefined,
    refreshExpiresAt,
    grantExpiresAt: refresh.refresh_lifetime?.kind === 'absolute' ? refreshExpiresAt : undefined,
    nextRefreshAt: renewable && expiry === 'UNKNOWN' ? now + (refresh.min_age ?? 0) : grant.nextRefreshAt,
  }
}

/** The grant is stored: whatever happens now is a report, not a refusal. */
async function refreshOnce(
  ports: Ports,
  handle: ProviderHandle,
  request: ImportRequest,
  connection: Connection,
): Promise<Import> {
  const error = await refreshErrorOf(ports, handle, connection)
  const current = ports.connections.peek(request) ?? connection
  if (error === undefined) return imported(ports, handle, request, current)
  const status = statusOf(handle, request, current, ports.clock)
  const why = status.lastError === undefined ? '' : ` (${status.lastError.message})`
  return { outcome: 'REFRESH_FAILED', status, note: `the grant is stored, but ${error.message}${why}` }
}

async function refreshErrorOf(
  { refresher, clock }: Ports,
  handle: ProviderHandle,
  connection: Connection,
): Promise<BrokerError | undefined> {
  const { provider, client } = handle
  // A migration may bring a grant without one; asking the provider would only waste it.
  if (client.written.refresh.mode === 'refresh_token' && connection.tokens?.refreshToken === undefined)
    return new BrokerError('NO_REFRESH_TOKEN', `${provider.id} issued no refresh token with it`)
  try {
    const outcome = await waitFor(refresher.refresh(connection), clock, undefined, provider.id)
    return outcome.ok ? undefined : outcome.error
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
}

function imported(
  { clock }: Ports,
  handle: ProviderHandle,
  request: ImportRequest,
  connection: Connection,
): Import {
  const status = statusOf(handle, request, connection, clock)
  return { outcome: 'IMPORTED', status, note: noteOn(handle, connection) }
}

/** What happens to a grant that nothing can renew. */
function noteOn({ client }: ProviderHandle, { tokens }: Connection): string {
  const { id, refresh, operations } = client.written
  if (refresh.mode !== 'refresh_token' || tokens?.refreshToken !== undefined) return ''
  const ends = 'without a refresh token the access token is handed out until it ends and is not renewed'
  if (operations.migrate === undefined) return ends
  const way =
    'while it is valid, import it with --migration-token and --replace to get a grant that is renewed'
  return id === 'square'
    ? `${ends}: Square retired RenewToken on 2024-04-17, so nothing renews a token of that time; ${way}`
    : `${ends}; ${way}`
}
