import type { ConnectionName } from '../broker.ts'
import { BrokerError } from '../errors.ts'
import { REFUSAL_TEXT } from '../governor/governed-client.ts'
import type { Refusal as GovernorRefusal } from '../governor/governor.ts'
import type { ProviderHandle } from '../providers.ts'

/** Callers are not asked to come back sooner than that. */
const RETRY_MIN_MS = 1_000

/** Why no request was sent. */
type Refusal =
  | GovernorRefusal
  | { readonly admitted: false; readonly why: 'misconfigured' | 'moved'; readonly retryAfterMs?: undefined }

/** What a failed refresh left: its reason, and when the next one comes; absent = none by itself. */
interface Outcome {
  readonly reason: string
  readonly nextRefreshAt?: number
}

/** What a caller is told when a refresh did not bring a token, or was not tried because the last one did not. */
export function refreshError(
  handle: ProviderHandle,
  row: ConnectionName,
  cause: Outcome | Refusal,
  now: number,
): BrokerError {
  const { id } = handle.provider
  const metadata = { provider: id, account: row.account }
  if ('admitted' in cause) return refusalError(id, metadata, cause)
  const retryAfterMs =
    cause.nextRefreshAt === undefined ? undefined : Math.max(RETRY_MIN_MS, cause.nextRefreshAt - now)
  return reasonError(cause.reason, id, metadata, retryAfterMs)
}

function refusalError(id: string, metadata: Record<string, string>, refusal: Refusal): BrokerError {
  const { why, retryAfterMs } = refusal
  if (why !== 'misconfigured' && why !== 'moved') {
    return new BrokerError('PROVIDER_UNAVAILABLE', `${id} ${REFUSAL_TEXT[why]}`, { metadata, retryAfterMs })
  }
  const moved = why === 'moved'
  return new BrokerError(
    'PROVIDER_MISCONFIGURED',
    moved
      ? `the client id or token endpoint of ${id} is not the one that this connection's tokens belong to`
      : `${id} refuses our client id or secret`,
    {
      metadata,
      help: moved
        ? `Restore the former client_id and endpoint in the configuration. If the move is meant: token-broker rebind ${id} --all; or connect again.`
        : 'Compare client_id and client_secret with the registration at the provider. Connections are kept.',
    },
  )
}

function reasonError(
  reason: string,
  id: string,
  metadata: Record<string, string>,
  retryAfterMs: number | undefined,
): BrokerError {
  const account = metadata.account ? ` --account ${JSON.stringify(metadata.account)}` : ''
  switch (reason) {
    case 'REAUTH_REQUIRED':
      return new BrokerError(reason, `the grant at ${id} is dead; a human has to consent again`, {
        metadata,
        help: `Consent again: token-broker connect ${id}${account}`,
      })
    case 'CONNECTION_MISCONFIGURED':
      return new BrokerError(reason, `${id} refuses the parameters of this connection`, {
        metadata,
        retryAfterMs,
        help: `Check scopes and variables, then: token-broker refresh ${id}${account}; or connect again: token-broker connect ${id}${account}`,
      })
    case 'PROVIDER_MISCONFIGURED':
      return refusalError(id, metadata, { admitted: false, why: 'misconfigured' })
    default:
      return new BrokerError(
        'PROVIDER_UNAVAILABLE',
        `${id} did not renew the access token; it is tried again`,
        {
          metadata,
          retryAfterMs: retryAfterMs ?? RETRY_MIN_MS,
        },
      )
  }
}
