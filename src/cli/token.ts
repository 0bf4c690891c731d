import { type AccessToken, TokenBrokerServiceService } from '../gen/tokenbroker/v1/token_broker.ts'
import { withBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain, print, printJson, styleFor } from './output.ts'
import { accessTokenToJson } from './to-json.ts'

export interface TokenOptions {
  readonly account: string
  /** Milliseconds that the token must still live. Undefined = the broker's default. */
  readonly minTtl?: number
  /** The version that the provider refused. */
  readonly rejectedVersion?: string
  readonly scope: readonly string[]
  /** Print header lines rather than the token alone. */
  readonly header?: boolean
  readonly json?: boolean
}

/** Prints an access token that works, alone on stdout so that `$(token-broker token …)` is the token. */
export async function token(provider: string, options: TokenOptions, io: Io): Promise<number> {
  const { token } = await withBroker(io, broker =>
    broker.call(TokenBrokerServiceService.getAccessToken, {
      provider,
      account: options.account,
      minTtl: options.minTtl === undefined ? undefined : durationFromMs(options.minTtl),
      rejectedVersion: options.rejectedVersion ?? '',
      requiredScopes: [...options.scope],
    }),
  )
  if (token === undefined) throw new CliError(EXIT.negative, 'the broker answered without a token')
  warn(token, io)
  if (options.json) printJson(io, accessTokenToJson(token))
  else print(io, ...(options.header ? headerLines(token) : [token.accessToken]))
  return EXIT.ok
}

/** What a person should know; never the token itself. */
function warn(token: AccessToken, io: Io): void {
  const style = styleFor(io.stderr, io.env)
  if (io.stdout.isTTY) {
    note(io, style('warning', 'This is a secret: whoever sees it can act as the connected account.'))
  }
  if (token.degraded !== undefined) {
    const reason = plain(token.degraded.reason)
    note(
      io,
      style(
        'warning',
        `This token is good, but the last refresh failed (${reason}): see token-broker status.`,
      ),
    )
  }
}

/** The header that carries the token, then those that the provider's API wants beside it; `curl -H @-` reads them. */
function headerLines(token: AccessToken): string[] {
  const { headerName, valuePrefix, headers } = token.presentation ?? BEARER
  return [
    `${headerName}: ${valuePrefix}${token.accessToken}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
}

/** RFC 6750 section 2.1. */
const BEARER = { headerName: 'Authorization', valuePrefix: 'Bearer ', headers: {} }

function durationFromMs(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 }
}
