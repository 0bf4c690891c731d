import type { VerificationResult } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { maySendTo } from '../endpoint-origins.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle } from '../providers.ts'

/** What the provider says of an access token, and when it was asked. */
export interface Verification {
  readonly result: VerificationResult
  readonly at: number
}

/** Asks the provider whether the access token at hand works; changes no state. */
export async function verifyToken(
  handle: ProviderHandle,
  connection: Connection | null,
  clock: Clock,
): Promise<Verification> {
  const at = clock.now()
  const accessToken = connection === null ? handle.staticToken?.accessToken : connection.tokens?.accessToken
  if (accessToken === undefined) return { result: 'UNSUPPORTED', at }
  const found = await handle.client.definition()
  if (!found.ok) return { result: 'UNAVAILABLE', at }
  const operation = found.value.operations.verify
  const granted = connection?.row.grantedScopes
  const lacksScope =
    operation?.needs_scope !== undefined && granted?.includes(operation.needs_scope) === false
  if (operation?.url === undefined || lacksScope) return { result: 'UNSUPPORTED', at }
  // It goes nowhere but where it could be sent when it was granted.
  const isElsewhere = connection !== null && !maySendTo(handle, operation.url, connection.row)
  if (isElsewhere) return { result: 'UNSUPPORTED', at }
  const { variables = {}, attributes = {}, providerAccountId = '' } = connection?.row ?? {}
  const result = await handle.client.verify({ accessToken, variables, attributes, providerAccountId })
  if (result.ok) return { result: 'VERIFIED', at }
  const verdicts: Partial<Record<string, VerificationResult>> = {
    reauthorize: 'REJECTED',
    unsupported: 'UNSUPPORTED',
  }
  return { result: verdicts[result.failure.class] ?? 'UNAVAILABLE', at }
}
