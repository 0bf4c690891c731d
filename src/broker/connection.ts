import type { Secret } from '../secret.ts'
import { type Keyring, type SealContext, UnreadableError } from '../store/keyring.ts'
import type { ConnectionRow, Damageable } from '../store/rows.ts'
import { kidOf } from '../store/sealed-values.ts'
import type { ConnectionName } from './broker.ts'
import type { Clock } from './ports.ts'

/** When an imported token was obtained: nobody knows. */
export const OBTAINED_UNKNOWN = 0

/** A connection in memory: its row, and its tokens opened. */
export interface Connection {
  readonly row: ConnectionRow
  /** Absent if the stored bytes do not open. */
  readonly tokens?: OpenTokens
  /** Why the stored bytes do not open. */
  readonly unreadable?: UnreadableError
  /** When the request that brought the access token was sent, on the monotonic clock. */
  readonly sentMonotonic: number
}

/** The tokens of a connection, opened. */
export interface OpenTokens {
  readonly accessToken: Secret
  readonly refreshToken?: Secret
  /** Names the access token in the audit. */
  readonly fingerprint: string
  /** The key that seals it; absent for a static token. */
  readonly keyId?: string
}

/** What a connection's tokens are sealed for. */
export function sealContext(
  row: Pick<ConnectionRow, 'id' | 'grantEpoch' | 'tokenOrigin'>,
  column: 'access_token' | 'refresh_token' | 'sibling',
): SealContext {
  return { table: 'connections', column, id: row.id, grantEpoch: row.grantEpoch, origin: row.tokenOrigin }
}

/**
 * Opens a stored row. A row that does not open is a connection all the same, and says why.
 *
 * @param sentMonotonic see {@link Connection.sentMonotonic}; absent = worked out from the wall clock, which is
 *   all there is after a restart
 */
export function openConnection(
  row: ConnectionRow,
  keyring: Keyring,
  clock: Clock,
  sentMonotonic = sentAtBy(clock, row.obtainedAt),
): Connection {
  try {
    requireUndamaged(row)
    const accessToken = keyring.open(row.sealedAccessToken, sealContext(row, 'access_token'))
    const refreshToken =
      row.sealedRefreshToken && keyring.open(row.sealedRefreshToken, sealContext(row, 'refresh_token'))
    const fingerprint = keyring.fingerprint(accessToken)
    return {
      row,
      tokens: { accessToken, refreshToken, fingerprint, keyId: kidOf(row.sealedAccessToken) },
      sentMonotonic,
    }
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    return { row, unreadable: error, sentMonotonic }
  }
}

/** The refresh token of a late answer that is kept beside the stored one; `undefined` if none is, or it does not open. */
export function openSibling(row: ConnectionRow, keyring: Keyring): Secret | undefined {
  try {
    requireUndamaged(row)
    return row.sealedSibling && keyring.open(row.sealedSibling, sealContext(row, 'sibling'))
  } catch (error) {
    if (error instanceof UnreadableError) return undefined
    throw error
  }
}

/**
 * Refuses a row of which not all can be read: where its tokens go, and with what, would be a guess.
 *
 * @throws UnreadableError `damaged`
 */
export function requireUndamaged({ damaged }: Damageable): void {
  if (damaged === undefined) return
  throw new UnreadableError('damaged', `what stands in ${damaged.join(', ')} is not what was written`)
}

/** A moment of the wall clock on the monotonic one; what is yet to come is now. */
export function sentAtBy(clock: Clock, obtainedAt: number): number {
  return clock.monotonic() - Math.max(0, clock.now() - obtainedAt)
}

/**
 * Milliseconds that the access token still lives, by whichever clock says less; `undefined` = it never
 * expires, or nobody knows when.
 */
export function lifetimeLeft(connection: Connection, clock: Clock): number | undefined {
  const { expiresAt, obtainedAt } = connection.row
  if (expiresAt === undefined) return undefined
  const byMonotonic = expiresAt - obtainedAt - (clock.monotonic() - connection.sentMonotonic)
  return Math.min(expiresAt - clock.now(), byMonotonic)
}

/** Whether the access token has not expired by either clock; one whose end nobody knows has not. */
export function isAlive(connection: Connection, clock: Clock): boolean {
  const left = lifetimeLeft(connection, clock)
  return left === undefined || left > 0
}

/**
 * Milliseconds that the access token lived when it was new; `undefined` if it does not expire, or if nobody knows
 * because it was imported.
 */
export function lifetimeOf({ expiresAt, obtainedAt }: ConnectionRow): number | undefined {
  return expiresAt === undefined || obtainedAt === OBTAINED_UNKNOWN ? undefined : expiresAt - obtainedAt
}

/** What a connection goes by in maps. A provider's id has no line break. */
export function keyOf({ provider, account }: ConnectionName): string {
  return `${provider}\n${account}`
}
