import type { Clock } from '../ports.ts'
import type { Refusal, Urgency } from './governor.ts'
import type { Outcome } from './outcome.ts'

/** What somebody wants to send. */
export interface Asked {
  readonly urgency: Urgency
  readonly purpose: 'grant' | 'revoke' | 'verify'
}

/** One reason to send nothing for a while. It learns from the answers to requests for tokens. */
export interface Gate {
  readonly why: Refusal['why']
  /** Whether such a request is held back now, probes apart. */
  isClosed(asked: Asked): boolean
  /** How long until asking that again makes sense while it is closed, in milliseconds; 0 = a probe is due. */
  waitMs(asked: Asked): number
  /** Lets single requests through while it is closed; absent = none. */
  readonly probe?: Probe
  learn(outcome: Outcome): void
}

/** A gate that stays closed until an answer opens it. */
export interface Latch extends Gate {
  /** Since when it is closed, by the wall clock; absent = open. */
  since(): number | undefined
}

/**
 * Lets one request for tokens in an interval find out whether things have changed. What is no request for tokens goes
 * as seldom, only while none has taken its turn, and takes none away.
 */
export interface Probe {
  /** How long until the next one may be claimed, in milliseconds. */
  waitMs(asked: Asked): number
  /** The gate closes: the next probe comes an interval from now, and whoever has claimed one has it no longer. */
  arm(): void
  /** Somebody who waits for a turn will be the probe; until it is sent nobody else may. */
  claim(asked: Asked): Claim
}

/** The right to be the next probe. */
export interface Claim {
  isValid(): boolean
  /** It leaves now. */
  sent(): void
  /** It was not sent after all, so the next to ask may. */
  giveBack(): void
}

/** Creates a probe that is due at once. */
export function createProbe(intervalMs: number, clock: Clock): Probe {
  const grants = createTurns(intervalMs, clock)
  const others = createTurns(intervalMs, clock)

  return {
    waitMs: ({ purpose }) =>
      purpose === 'grant' ? grants.waitMs() : Math.max(grants.waitMs(), others.waitMs()),
    arm() {
      grants.arm()
      others.arm()
    },
    claim: ({ purpose }) => (purpose === 'grant' ? grants : others).claim(),
  }
}

/** The turns of those who take none from each other. */
function createTurns(intervalMs: number, clock: Clock) {
  let dueAt = Number.NEGATIVE_INFINITY
  let holder: Claim | undefined

  return {
    waitMs: () => (holder === undefined ? Math.max(0, dueAt - clock.monotonic()) : intervalMs),
    arm() {
      holder = undefined
      dueAt = clock.monotonic() + intervalMs
    },
    claim(): Claim {
      let dueAfterIt: number | undefined
      const claim: Claim = {
        isValid: () => holder === claim,
        sent() {
          holder = undefined
          dueAfterIt = clock.monotonic() + intervalMs
          dueAt = dueAfterIt
        },
        giveBack() {
          if (holder === claim) holder = undefined
          else if (dueAt === dueAfterIt) dueAt = clock.monotonic()
        },
      }
      holder = claim
      return claim
    },
  }
}
