import { TokenBrokerServiceService } from '../gen/tokenbroker/v1/token_broker.ts'
import { CALL_DEADLINE_MS, PROVIDER_CALL_DEADLINE_MS, withBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { print, printJson, styleFor } from './output.ts'
import { statusLines } from './status-view.ts'
import { statusToJson } from './to-json.ts'

export interface StatusOptions {
  readonly account: string
  /** Ask the provider whether the access token works. */
  readonly verify?: boolean
  readonly json?: boolean
}

/** Shows the state of one connection. The exit code says whether a call now would yield a token. */
export async function status(provider: string, options: StatusOptions, io: Io): Promise<number> {
  const { status } = await withBroker(io, broker =>
    broker.call(
      TokenBrokerServiceService.getStatus,
      { provider, account: options.account, verify: options.verify ?? false },
      options.verify ? PROVIDER_CALL_DEADLINE_MS : CALL_DEADLINE_MS,
    ),
  )
  if (status === undefined) throw new CliError(EXIT.negative, 'the broker answered without a status')
  if (options.json) printJson(io, statusToJson(status))
  else print(io, ...statusLines(status, io.now(), styleFor(io.stdout, io.env)))
  return status.connected ? EXIT.ok : EXIT.negative
}
