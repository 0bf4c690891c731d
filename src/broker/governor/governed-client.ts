import type { OAuthClient } from '../../oauth/client.ts'
import { type Failure, failed, type Result } from '../../oauth/failure.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Clock } from '../ports.ts'
import type { EnterOptions, Governor, Refusal, Urgency } from './governor.ts'

/** Longer than the longest caller waits, shorter than an authorization code lives. */
const PATIENCE_MS = 30_000
/** While a provider is only probed, its metadata is not asked for more often than that either. */
const DISCOVERY_RETRY_MS = 30_000

type Purpose = NonNullable<EnterOptions['purpose']>

/**
 * The client of a provider whose requests wait for their turn: a request that may not be sent fails with class
 * `client` where the provider refuses our client, else `retry`, and an outcome that is known.
 *
 * `refresh` is left as it is, because its pass must be held before its intent is stored. Whoever holds a pass ends it
 * before calling another operation, or calls that of the client itself: this one would wait for the pass.
 */
export function governClient(client: OAuthClient, governor: Governor, clock: Clock): OAuthClient {
  const send = <T>(urgency: Urgency, purpose: Purpose, operation: () => Promise<Result<T>>) =>
    sendInTurn(governor, urgency, purpose, operation)

  return {
    ...client,
    definition: rememberFailure(client.definition, governor, clock),
    exchange: input => send('demand', 'grant', () => client.exchange(input)),
    migrate: input => send('demand', 'grant', () => client.migrate(input)),
    verify: input => send('demand', 'verify', () => client.verify(input)),
    revoke: input => send('renewal', 'revoke', () => client.revoke(input)),
  }
}

/**
 * Sends one request when its turn has come.
 *
 * @param operation of the client itself, which takes no pass
 */
export async function sendInTurn<T>(
  governor: Governor,
  urgency: Urgency,
  purpose: Purpose,
  operation: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const entry = await governor.enter(urgency, { purpose, patienceMs: PATIENCE_MS }).entered
  if (!entry.admitted) return failed(failureOf(entry))
  let result: Result<T>
  try {
    result = await operation()
  } catch (error) {
    entry.pass.unused()
    throw error
  }
  if (result.ok) entry.pass.succeeded()
  // A code or a former token that is refused says nothing about the grants.
  else entry.pass.failed(result.failure, { explained: true })
  return result
}

/** Why a provider is not sent a request now, as the predicate of a sentence about it. */
export const REFUSAL_TEXT: Readonly<Record<Refusal['why'], string>> = {
  misconfigured: 'refuses our client id or secret',
  rate_limited: 'asked us to wait before the next request',
  down: 'does not answer; it is asked again every 30 seconds',
  refusing: 'refuses so many grants that none of its refusals is believed',
  busy: 'has too many requests waiting already',
}

function failureOf({ why, retryAfterMs }: Refusal): Failure {
  return {
    class: why === 'misconfigured' ? 'client' : 'retry',
    outcomeUnknown: false,
    providerCode: '',
    message: `not sent: the provider ${REFUSAL_TEXT[why]}`,
    retryAfterMs,
  }
}

/** Discovery takes no pass, since those who hold one ask for it; known metadata is answered without a request. */
function rememberFailure(
  discover: () => Promise<Result<Definition>>,
  governor: Governor,
  clock: Clock,
): () => Promise<Result<Definition>> {
  let remembered: { readonly result: Result<Definition>; readonly until: number } | undefined

  return async () => {
    if (remembered !== undefined && clock.monotonic() < remembered.until) return remembered.result
    const result = await discover()
    const { breaker, misconfiguredSince } = governor.snapshot()
    const isProbed = breaker === 'open' || misconfiguredSince !== undefined
    remembered =
      result.ok || !isProbed ? undefined : { result, until: clock.monotonic() + DISCOVERY_RETRY_MS }
    return result
  }
}
