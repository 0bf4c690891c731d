import { type Connection, isAlive } from '../connection.ts'
import type { Clock } from '../ports.ts'
import type { Verification } from '../tokens/verification.ts'

/** How long what happened to other connections of a provider says something about this one. */
const OBSERVED_MS = 600_000

/** How many refused connections are remembered; the one refused longest ago is forgotten first. */
const REFUSED_MAX = 10_000

/** What tells a dead grant from a refused client where the provider's answer does not. */
export interface Evidence {
  /** What the provider says of an access token that should still live. */
  readonly accessToken: 'works' | 'refused' | 'unknown'
  /** Whether the client secret is another one than the tokens came with; `undefined` = nobody knows. */
  readonly clientSecretChanged?: boolean
  /** How other connections of the provider fared of late. */
  readonly others: 'renewed' | 'refused' | 'unknown'
}

/** What was seen of a provider's connections; in memory, because it is about the last minutes. */
export interface Observations {
  renewed(connectionId: string): void
  /** A refusal, whether or not it tells what is refused. */
  refused(connectionId: string): void
  /** Milliseconds since the first refusal that no renewal followed; `undefined` = none was seen in this run. */
  refusedForMs(connectionId: string): number | undefined
  /**
   * How connections other than this one fared: `renewed` only after this one was first refused, because before that
   * our client may have been another.
   */
  others(connectionId: string): Evidence['others']
}

interface Observed {
  readonly connectionId: string
  readonly at: number
}

/** Remembers the last two connections of each kind: one of them is another than the one in question. */
export function createObservations(clock: Clock): Observations {
  const seen: { renewed: Observed[]; refused: Observed[] } = { renewed: [], refused: [] }
  const refusedSince = new Map<string, number>()

  function note(kind: 'renewed' | 'refused', connectionId: string): void {
    const others = seen[kind].filter(known => known.connectionId !== connectionId)
    seen[kind] = [{ connectionId, at: clock.monotonic() }, ...others].slice(0, 2)
  }
  function latest(kind: 'renewed' | 'refused', connectionId: string): number {
    const other = seen[kind].find(known => known.connectionId !== connectionId)
    const at = other?.at ?? Number.NEGATIVE_INFINITY
    return clock.monotonic() - at <= OBSERVED_MS ? at : Number.NEGATIVE_INFINITY
  }

  return {
    renewed(id) {
      refusedSince.delete(id)
      note('renewed', id)
    },
    refused(id) {
      if (!refusedSince.has(id)) refusedSince.set(id, clock.monotonic())
      const oldest = refusedSince.keys().next().value
      if (refusedSince.size > REFUSED_MAX && oldest !== undefined) refusedSince.delete(oldest)
      note('refused', id)
    },
    refusedForMs(id) {
      const since = refusedSince.get(id)
      return since === undefined ? undefined : clock.monotonic() - since
    },
    others(id) {
      const renewed = latest('renewed', id)
      const refused = latest('refused', id)
      if (renewed > (refusedSince.get(id) ?? Number.POSITIVE_INFINITY)) return 'renewed'
      return refused > renewed ? 'refused' : 'unknown'
    },
  }
}

/** What the evidence is gathered from. */
export interface Inquiry {
  readonly connection: Connection
  /** Keyed fingerprint of the client secret in use; absent = the client has none. */
  readonly clientSecretFingerprint?: string
  readonly observations: Observations
  readonly clock: Clock
  /** Asks the provider whether the access token works. */
  readonly verify: () => Promise<Verification>
}

/** Finds out what can be found out about a refusal; asks the provider once, if the access token should live. */
export async function gatherEvidence(inquiry: Inquiry): Promise<Evidence> {
  const { connection, observations, clock, verify } = inquiry
  const { id, clientSecretFingerprint: stored } = connection.row
  const shouldWork = connection.tokens !== undefined && isAlive(connection, clock)
  const result = shouldWork ? (await verify()).result : 'UNAVAILABLE'
  return {
    accessToken: result === 'VERIFIED' ? 'works' : result === 'REJECTED' ? 'refused' : 'unknown',
    clientSecretChanged: stored === undefined ? undefined : stored !== inquiry.clientSecretFingerprint,
    others: observations.others(id),
  }
}

/**
 * Decides what an ambiguous refusal is about, such as Square's 401: `client` = ours, `reauthorize` = this grant's,
 * `undefined` = the evidence does not tell, so it changes nothing.
 */
export function decideAmbiguous({
  accessToken,
  clientSecretChanged,
  others,
}: Evidence): 'client' | 'reauthorize' | undefined {
  // The same client was taken for another grant since: it is not the client.
  if (others === 'renewed') return 'reauthorize'
  // A revoked grant takes its access tokens along; a refused client leaves them alone.
  if (accessToken === 'refused') return 'reauthorize'
  if (clientSecretChanged || accessToken === 'works') return 'client'
  return others === 'refused' ? 'client' : undefined
}
