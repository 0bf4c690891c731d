import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Base, ConnectionRow, RefreshSuccess } from '../../store/rows.ts'
import type { Connection } from '../connection.ts'
import type { Clock } from '../ports.ts'
import { nextRefresh } from '../renewal/schedule.ts'
import { lastUse } from '../renewal/usage.ts'
import { sealAnswer } from '../seal-answer.ts'
import { type RefreshOutcome, type RefreshPorts, reread } from './outcome.ts'
import type { RefreshAnswer } from './request.ts'
import { serveUnstored, spooledGrant, type Unstored } from './settle-commit.ts'

/** Stores what the provider issued before anybody is answered, whatever else is odd about the answer. */
export async function succeed(
  ports: RefreshPorts,
  connection: Connection,
  base: Base,
  { answer, siblingUsed }: RefreshAnswer & { readonly ok: true },
  sentMonotonic: number,
): Promise<RefreshOutcome> {
  const { row } = connection
  const { provider, account } = row
  const times = withoutSetBack(answer, ports.clock, sentMonotonic)
  const outcome = { ...successOf(ports, connection, times), siblingUsed }
  const unstored: Unstored = {
    commit: { provider, account, base, outcome, grant: spooledGrant(row) },
    sentMonotonic,
    row,
  }

  const placed = await ports.pending.store(unstored)
  ports.audit.countRefresh(provider, 'SUCCEEDED')
  ports.log.info('Refreshed', { provider, account, version: outcome.version, placed: placed.where })
  if (placed.where === 'elsewhere') return reread(ports, connection)
  const renewed = placed.where === 'store' ? placed.connection : serveUnstored(ports.connections, unstored)
  if (renewed === undefined) return reread(ports, connection)
  ports.endings.consider(renewed.row)
  return { ok: true, connection: renewed }
}

/** What was sent in the future was sent on a clock that has been set back since: its times are moved to the clock of now. */
function withoutSetBack(answer: TokenAnswer, clock: Clock, sentMonotonic: number): TokenAnswer {
  const { sentAt, expiresAt } = answer
  const now = clock.now()
  if (sentAt <= now) return answer
  const byMs = Math.round(sentAt - now + clock.monotonic() - sentMonotonic)
  return { ...answer, sentAt: sentAt - byMs, expiresAt: expiresAt && expiresAt - byMs }
}

function successOf(ports: RefreshPorts, { row }: Connection, answer: TokenAnswer): RefreshSuccess {
  const { keyring, random } = ports
  const now = ports.clock.now()
  const { client } = ports.providers.get(row.provider)
  const { refresh } = client.written
  const hasRefreshToken = answer.refreshToken !== undefined || row.sealedRefreshToken !== undefined
  const refreshExpiresAt = hasRefreshToken ? refreshTokenEnd(refresh, row, answer) : undefined
  const { sentAt: obtainedAt, expiresAt } = answer
  const lastUsedAt = lastUse(ports.usage, row)
  const schedule = { obtainedAt, expiresAt, refreshExpiresAt, lastUsedAt, hasRefreshToken }
  return {
    ...sealAnswer(row, answer, client.secretInUse(), keyring, random),
    refreshExpiresAt,
    now,
    nextRefreshAt: nextRefresh(refresh, schedule, now, random.fraction()),
  }
}

/** What the answer states, else what the definition knows of a token that each refresh prolongs. */
function refreshTokenEnd(
  { refresh_lifetime }: Definition['refresh'],
  row: ConnectionRow,
  answer: TokenAnswer,
): number | undefined {
  const { of: lifetime, kind } = refresh_lifetime ?? {}
  const slid = kind === 'sliding' && lifetime !== undefined ? answer.sentAt + lifetime : undefined
  return answer.refreshExpiresAt ?? slid ?? row.refreshExpiresAt
}
