import type { Connection } from './connection.ts'
import { lifetimeLeft } from './connection.ts'
import type { Clock } from './ports.ts'
import type { Verification } from './verification.ts'

/** How long what happened to other connections of a provider says something about this one. */
const OBSERVED_MS = 600_000

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
  /** A refusal that does not tell whether the grant or our client is refused. */
  refused(connectionId: string): void
  /** How connections other than this one fared; the latest says most. */
  others(connectionId: string): Evidence['others']
}

interface Observed {
  readonly connectionId: string
  readonly at: number
}

/** Remembers the last two connections of each kind: one of them is another than the one in question. */
export function createObservations(clock: Clock): Observations {
  const seen: { renewed: Observed[]; refused: Observed[] } = { renewed: [], refused: [] }

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
    renewed: id => note('renewed', id),
    refused: id => note('refused', id),
    others(id) {
      const renewed = latest('renewed', id)
      const refused = latest('refused', id)
      if (renewed === refused) return 'unknown'
      return renewed > refused ? 'renewed' : 'refused'
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
  const left = lifetimeLeft(connection, clock)
  const isAlive = connection.tokens !== undefined && (left === undefined || left > 0)
  const result = isAlive ? (await verify()).result : 'UNAVAILABLE'
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
  if (clientSecretChanged) return 'client'
  // A revoked grant takes its access tokens along; a refused client leaves them alone.
  if (accessToken === 'works') return 'client'
  if (accessToken === 'refused') return 'reauthorize'
  return others === 'refused' ? 'client' : undefined
}
