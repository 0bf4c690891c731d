import {
  type ConnectionStatus,
  type RefreshResponse,
  TokenBrokerServiceService,
} from '../gen/tokenbroker/v1/token_broker.ts'
import { PROVIDER_CALL_DEADLINE_MS, withBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { plain, print, printJson, styleFor } from './output.ts'
import { connectionLabel } from './status-view.ts'
import { formatTime } from './time.ts'
import { statusToJson } from './to-json.ts'

export interface RefreshOptions {
  readonly account: string
  readonly json?: boolean
}

/** Refreshes one connection's access token now. The output holds no secret, so it can go into a ticket. */
export async function refresh(provider: string, options: RefreshOptions, io: Io): Promise<number> {
  const response = await withBroker(io, broker =>
    broker.call(
      TokenBrokerServiceService.refresh,
      { provider, account: options.account },
      PROVIDER_CALL_DEADLINE_MS,
    ),
  )
  const { status, refreshed } = response
  if (status === undefined) throw new CliError(EXIT.negative, 'the broker answered without a status')
  if (options.json) printJson(io, { refreshed, status: statusToJson(status) })
  else print(io, ...sentences(status, response, io))
  return refreshed || status.healthy ? EXIT.ok : EXIT.negative
}

function sentences(status: ConnectionStatus, { refreshed }: RefreshResponse, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  const name = connectionLabel(status)
  const expiry = formatTime(status.expireTime, io.now())
  const expires = expiry ? `, the access token expires ${expiry}` : ''
  if (refreshed) return [`${style('good', name)}: refreshed${expires}`]
  if (status.healthy) {
    return [
      `${style('good', name)}: not refreshed again, the last refresh was moments ago and succeeded${expires}`,
    ]
  }
  const { lastError } = status
  const reason = lastError ? ` (${lastError.reason}: ${lastError.message})` : ''
  return [`${style('bad', name)}: the refresh failed${plain(reason)}`, plain(status.diagnosis)]
}
