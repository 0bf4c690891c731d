import type { Accounts } from './accounts.ts'
import type { Behavior, BehaviorPatch, Behaviors } from './behavior.ts'
import type { Clients } from './clients.ts'
import type { Clock, Random } from './ports.ts'
import { createState, type State } from './state.ts'

/** Random bytes in each code and token: 192 bits, beyond guessing. */
const TOKEN_BYTES = 24

/** How a dialect's values look, so that logs and people recognise them. */
export interface TokenPrefixes {
  readonly code: string
  readonly accessToken: string
  readonly refreshToken: string
}

/** One dialect's authorization server: what it remembers and what it decides by. */
export interface Realm {
  /** The dialect's id. */
  readonly id: string
  readonly clients: Clients
  readonly accounts: Accounts
  readonly behaviors: Behaviors
  readonly state: State
  /** What holds for a grant, which differs with PKCE at some servers. */
  behaviorFor(grant: { readonly clientId: string; readonly challenge?: string }): Behavior
  /** Milliseconds since the epoch. */
  now(): number
  /** A value that was never handed out before. */
  mint(kind: keyof TokenPrefixes | 'grant' | 'consent'): string
}

/** What a realm is made of. */
export interface RealmParts {
  readonly id: string
  readonly prefixes: TokenPrefixes
  readonly clients: Clients
  readonly accounts: Accounts
  readonly behaviors: Behaviors
  readonly pkceBehavior?: BehaviorPatch
  readonly clock: Clock
  readonly random: Random
}

export function createRealm({ prefixes, pkceBehavior, clock, random, ...parts }: RealmParts): Realm {
  const prefixOf = { ...prefixes, grant: 'grant-', consent: '' }
  return {
    ...parts,
    state: createState(),
    behaviorFor: ({ clientId, challenge }) => ({
      ...parts.behaviors.of(clientId),
      ...(challenge !== undefined && pkceBehavior),
    }),
    now: () => clock.now(),
    mint: kind => prefixOf[kind] + random.token(TOKEN_BYTES),
  }
}
