import type { ConnectionName, ConnectionStatus } from './broker.ts'
import type { Connections } from './connections.ts'
import type { Clock } from './ports.ts'
import type { Providers } from './providers.ts'
import type { Refresher } from './refresh.ts'
import { statusOf } from './status.ts'
import { consentRequired, noRefreshToken, staticNotRefreshed, unreadable } from './token-errors.ts'
import { waitFor } from './wait.ts'

/** Within that time of the last one, failures included, a forced refresh answers the last result. */
const REPEAT_AFTER_MS = 30_000
/** How many connections are remembered for that; the oldest is forgotten first. */
const REMEMBERED_MAX = 10_000

/** Refreshes because an operator says so. */
export interface ForcedRefresh {
  refresh(name: ConnectionName): Promise<{ readonly status: ConnectionStatus; readonly refreshed: boolean }>
}

interface Ports {
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly clock: Clock
}

/** Creates the forced refresh over all connections. */
export function createForcedRefresh({ connections, providers, refresher, clock }: Ports): ForcedRefresh {
  const lastAt = new Map<string, number>()

  function isRepeat(id: string): boolean {
    const now = clock.monotonic()
    const last = lastAt.get(id)
    if (last !== undefined && now - last < REPEAT_AFTER_MS) return true
    lastAt.delete(id)
    lastAt.set(id, now)
    const oldest = lastAt.keys().next().value
    if (lastAt.size > REMEMBERED_MAX && oldest !== undefined) lastAt.delete(oldest)
    return false
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
      if (needsToken && tokens.refreshToken === undefined) throw noRefreshToken(row)
      if (isRepeat(row.id)) return { status: statusOf(handle, name, connection, clock), refreshed: false }

      const outcome = await waitFor(refresher.refresh(connection), clock, undefined, name.provider)
      const current = connections.peek(name) ?? null
      return { status: statusOf(handle, name, current, clock), refreshed: outcome.ok }
    },
  }
}
