import { type Connection, lifetimeLeft, lifetimeOf } from '../connection.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle } from '../providers.ts'
import { type Freshness, freshness, renewalMargin } from './freshness.ts'

/** How a connection's access token stands right now. Milliseconds. */
export interface Standing {
  readonly freshness: Freshness
  /** How long the token still lives; absent = it never expires, or nobody knows when. */
  readonly left?: number
  /** How long it lived when it was new; infinite if unknown. */
  readonly lifetime: number
  /** How long before its end it should be renewed. */
  readonly margin: number
}

/**
 * Looks at a connection's access token.
 *
 * @param minTtlMs what the caller needs; undefined = the smaller of 60 s and half the lifetime
 */
export function standingOf(
  handle: ProviderHandle,
  connection: Connection,
  minTtlMs: number | undefined,
  clock: Clock,
): Standing {
  const left = lifetimeLeft(connection, clock)
  const lifetime = lifetimeOf(connection.row) ?? Number.POSITIVE_INFINITY
  // Of an imported token only what is left is known.
  const span = Number.isFinite(lifetime) ? lifetime : (left ?? 0)
  const margin = renewalMargin(handle.provider.definition.refresh.margin, span)
  return { freshness: freshness(left, lifetime, minTtlMs, margin), left, lifetime, margin }
}
