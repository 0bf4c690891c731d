import type { Audit } from '../../audit/audit.ts'
import type { ConnectionRow } from '../../store/rows.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { CallerIdentity, ConnectionName, ConnectionStatus } from '../broker.ts'
import type { Connections } from '../connections.ts'
import { BrokerError } from '../errors.ts'
import type { CallerLimit } from '../policy/caller-limit.ts'
import type { Clock } from '../ports.ts'
import type { Providers } from '../providers.ts'
import { statusOf } from '../status.ts'
import { consentRequired, noRefreshToken, staticNotRefreshed, unreadable } from '../tokens/token-errors.ts'
import { waitFor } from '../tokens/wait.ts'
import { refreshError } from './refresh-error.ts'
import type { Refresher } from './refresher.ts'

/** Within that time of the last one, failures included, a forced refresh answers the last result. */
const REPEAT_AFTER_MS = 30_000
/** How many connections are remembered for that; the oldest is forgotten first. */
const REMEMBERED_MAX = 10_000

/** Refreshes because an operator says so. */
export interface ForcedRefresh {
  refresh(
    name: ConnectionName & { readonly caller?: CallerIdentity },
  ): Promise<{ readonly status: ConnectionStatus; readonly refreshed: boolean }>
}

interface Ports {
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly forced: CallerLimit
  readonly audit: Audit
  readonly clock: Clock
}

/** Creates the forced refresh over all connections. */
export function createForcedRefresh({
  connections,
  providers,
  refresher,
  forced,
  audit,
  clock,
}: Ports): ForcedRefresh {
  const lastAt = new Map<string, number>()

  function isRepeat(id: string): boolean {
    const last = lastAt.get(id)
    return last !== undefined && clock.monotonic() - last < REPEAT_AFTER_MS
  }

  function remember(id: string): void {
    lastAt.delete(id)
    lastAt.set(id, clock.monotonic())
    const oldest = lastAt.keys().next().value
    if (lastAt.size > REMEMBERED_MAX && oldest !== undefined) lastAt.delete(oldest)
  }

  return {
    async refresh(name) {
      const handle = providers.get(name.provider)
      const connection = await connections.load(name)
      if (connection === null) {
        throw handle.staticToken && name.account === '' ? staticNotRefreshed(name) : consentRequired(name)
      }
      const { row, tokens } = connection
      if (tokens === undefined) throw unreadable(row, connection.unreadable)
      const needsToken = handle.client.written.refresh.mode === 'refresh_token'
      if (needsToken && tokens.refreshToken === undefined) {
        const { state: reason } = row
        if (reason !== 'REAUTH_REQUIRED') throw noRefreshToken(row)
        throw refreshError(handle, row, { reason }, clock.now())
      }
      if (isRepeat(row.id)) return { status: statusOf(handle, name, connection, clock), refreshed: false }
      if (name.caller !== undefined) forced.admit(name.caller.name)
      remember(row.id)

      const record = (error?: unknown) =>
        recordForced(audit, name.caller, connections.peek(name)?.row ?? row, error)
      const outcome = await waitFor(refresher.refresh(connection), clock, undefined, name.provider).catch(
        (error: unknown) => {
          record(error)
          throw error
        },
      )
      record(outcome.ok ? undefined : outcome.error)
      const current = connections.peek(name) ?? null
      return { status: statusOf(handle, name, current, clock), refreshed: outcome.ok }
    },
  }
}

/** @param error why it brought nothing; absent = it did */
function recordForced(
  audit: Audit,
  caller: CallerIdentity | undefined,
  row: ConnectionRow,
  error?: unknown,
): void {
  audit.note({
    ...connectionFacts(row),
    event: 'REFRESH_FORCED',
    caller,
    outcome: error === undefined ? 'SUCCEEDED' : 'FAILED',
    reason: error instanceof BrokerError ? error.reason : '',
  })
}
