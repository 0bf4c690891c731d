import type { Failure } from '../../oauth/failure.ts'

/** What an answer, or its absence, says about the provider. */
export interface Outcome {
  /**
   * - `succeeded`
   * - `silent`: not reached, or no answer that can be read; nobody knows what it did.
   * - `limited`: it wants fewer requests.
   * - `client`: it refuses our client, or how we ask.
   * - `refused`: it refuses one grant, and so works.
   * - `recognised`: it refuses one connection's parameters, and so works.
   * - `odd`: an answer that says nothing of these.
   */
  readonly kind: 'succeeded' | 'silent' | 'limited' | 'client' | 'refused' | 'recognised' | 'odd'
  /** How long the provider asks to wait. */
  readonly retryAfterMs?: number
  /** Whether a refusal has a cause of this connection's own. */
  readonly explained?: boolean
}

/** What a failure says about the provider. */
export function outcomeOf(failure: Failure, explained = false): Outcome {
  const { retryAfterMs } = failure
  return { kind: kindOf(failure), retryAfterMs, explained }
}

/** Whether the provider understood our client. */
export function recognises({ kind }: Outcome): boolean {
  return kind === 'succeeded' || kind === 'refused' || kind === 'recognised'
}

function kindOf(failure: Failure): Outcome['kind'] {
  if (failure.outcomeUnknown) return 'silent'
  switch (failure.class) {
    case 'not_sent':
      return 'silent'
    case 'rate_limited':
      return 'limited'
    case 'client':
    case 'unsupported':
      return 'client'
    case 'reauthorize':
      return 'refused'
    case 'connection':
      return 'recognised'
    case 'ambiguous':
    case 'retry':
      return 'odd'
  }
}
