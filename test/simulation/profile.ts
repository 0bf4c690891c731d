import type { Habits } from './authorization-server.ts'
import { createDice, type Dice } from './dice.ts'

/** What happens to one request at the provider. */
export type Fate =
  | 'normal'
  /** The answer comes after callers have given up, before the hard limit. */
  | 'slow'
  /** The server acts, and its answer comes after the hard limit. */
  | 'too_slow'
  | 'unreachable'
  /** The connection breaks before the server has acted; it never does. */
  | 'lost_request'
  /** The connection breaks, and the server acts only then. */
  | 'acts_late'
  | 'lost_answer'
  | 'act_502'
  | 'down_503'
  /** A success whose body cannot be read. */
  | 'act_garbage'
  /** A success with the next refresh token and nothing else. */
  | 'act_half'
  | 'invalid_client'
  /** `invalid_grant` for a grant that lives; the server has not acted. */
  | 'lie'
  | 'rate_limited'

export type Fates = Readonly<Partial<Record<Fate, number>>>

/** How the provider, or the store, is at the moment. */
export type ProviderMode = 'fair' | 'flaky' | 'dead' | 'silent' | 'misconfigured' | 'lying'
export type StoreMode = 'up' | 'down' | 'full' | 'busy'

/** Everything that a seed decides before it starts. */
export interface Profile {
  readonly seed: number
  readonly replicas: number
  readonly accounts: readonly string[]
  readonly habits: Habits
  /** What the definition says of the server; absent = it does not know. */
  readonly declaredReplay?: Habits['replay']
  readonly steps: number
  /** How often each command comes. */
  readonly commands: Readonly<Record<string, number>>
  /** How the provider treats a request while it is `flaky`. */
  readonly flaky: Fates
  /** Milliseconds that wall clocks jump at the most; 0 = they do not. */
  readonly jumpMsMax: number
  /** Milliseconds that a pause lasts at the most. */
  readonly pauseMsMax: number
  /** Milliseconds that a killed process is away at the most. */
  readonly downMsMax: number
}

/** What a request meets in each mode. */
export function fatesOf({ flaky }: Profile, mode: ProviderMode): Fates {
  switch (mode) {
    case 'fair':
      return { normal: 1 }
    case 'flaky':
      return flaky
    case 'dead':
      return { unreachable: 1, down_503: 2, lost_request: 1 }
    case 'silent':
      return { lost_answer: 1, too_slow: 2, act_502: 1 }
    case 'misconfigured':
      return { invalid_client: 1 }
    case 'lying':
      return { lie: 1 }
  }
}

const FATES: Fates = {
  normal: 6,
  slow: 1,
  too_slow: 0.5,
  unreachable: 1,
  lost_request: 1,
  acts_late: 0.5,
  lost_answer: 1.5,
  act_502: 1,
  down_503: 1,
  act_garbage: 0.5,
  act_half: 0.5,
  rate_limited: 0.5,
}

/** What happens in a seed, in commands. */
const COMMANDS = {
  tick: 30,
  get: 12,
  refresh: 4,
  disconnect: 1.5,
  connect: 2,
  crash: 4,
  terminate: 2,
  pause: 4,
  provider: 5,
  store: 3,
  jump: 3,
} as const

/** The world of a seed. Each seed leaves some kinds of trouble out, so that the others are met undisturbed. */
export function profileOf(seed: number, over: Partial<Profile> = {}): Profile {
  const dice = createDice(seed)
  const replay = dice.pick(['same', 'window', 'window', 'single_use', 'single_use_family'] as const)
  const replicas = dice.pick([1, 2, 2, 3])
  const without = (name: string) => (dice.chance(0.3) ? { [name]: 0 } : {})
  const commands = {
    ...COMMANDS,
    ...without('crash'),
    ...without('terminate'),
    ...without('pause'),
    ...without('provider'),
    ...without('store'),
    ...without('disconnect'),
    ...(dice.chance(0.7) ? { jump: 0 } : {}),
  }
  return {
    seed,
    replicas,
    accounts: dice.chance(0.7) ? [''] : ['', 'second'],
    habits: {
      replay,
      windowMs: dice.pick([5_000, 30_000, 600_000]),
      endsWithSuccessor: dice.chance(0.5),
      successor: dice.pick(['same', 'new']),
      lifetime: dice.pick([30, 120, 600, 3_600]),
      revokesByUsedToken: dice.chance(0.5),
    },
    declaredReplay: dice.chance(0.85) ? replay : undefined,
    steps: dice.between(20, 60),
    commands,
    flaky: someOf(dice),
    // Leases are read off the replicas' own clocks: theirs are kept in step, as time services do.
    jumpMsMax: replicas === 1 ? 36_000_000 : 500,
    pauseMsMax: dice.pick([3_000, 30_000, 200_000]),
    downMsMax: dice.pick([100, 2_000, 60_000]),
    ...over,
  }
}

function someOf(dice: Dice): Fates {
  const entries = Object.entries(FATES).filter(([fate]) => fate === 'normal' || dice.chance(0.6))
  return Object.fromEntries(entries)
}
