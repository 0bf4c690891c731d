import type { ConnectionRow } from '../../store/rows.ts'
import { lifetimeOf } from '../connection.ts'
import type { ProviderHandle } from '../providers.ts'
import { renewalMargin } from './freshness.ts'

/**
 * Until when the broker does not replace an access token by itself, in milliseconds since the epoch: neither the
 * renewer does, nor a caller who would like one that lives longer, because that would kill the token which others hold.
 * A token that is reported as rejected, an operator's refresh and a new consent may end it sooner.
 *
 * @returns `undefined` where a refresh leaves the previous access token alone, or none is ever due
 */
export function rotatesNotBefore(
  { client, provider }: ProviderHandle,
  row: ConnectionRow,
): number | undefined {
  if (!client.written.refresh.kills_access_token) return undefined
  // A connection that nobody used is planned later than whoever comes to use it has it renewed.
  const times = [row.nextRefreshAt, renewalTime(provider.definition.refresh.margin, row)]
  const known = times.filter(time => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** When a caller's request has the token renewed; absent = not because of its age, as far as that is known. */
function renewalTime(margin: Parameters<typeof renewalMargin>[0], row: ConnectionRow): number | undefined {
  const lifetime = lifetimeOf(row)
  if (row.expiresAt === undefined || lifetime === undefined) return undefined
  return Math.round(row.expiresAt - renewalMargin(margin, lifetime))
}
