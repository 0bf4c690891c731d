import type { Asked, Claim, Gate } from './gate.ts'
import type { Entry, Urgency } from './governor.ts'

/** The order in which those who wait get their turn. */
const ORDER: readonly Urgency[] = ['recovery', 'demand', 'renewal']

/** Somebody who waits for a turn. */
export interface Waiter extends Asked {
  urgency: Urgency
  /** Whether its turn comes from the retry budget. */
  readonly retry: boolean
  /** The closed gates that it is going to probe. */
  readonly claims: ReadonlyMap<Gate, Claim>
  /** Called when it leaves the queue. */
  left(): void
  resolve(entry: Entry): void
}

/** Those who wait: by urgency, and first come, first served within it. */
export interface Queue {
  /** How many wait; of one urgency if it is given. */
  size(urgency?: Urgency): number
  /** The first of those whose turn it may be. */
  next(mayGo: (waiter: Waiter) => boolean): Waiter | undefined
  /** Everybody, in the order of their turns; may be changed meanwhile. */
  all(): Waiter[]
  add(waiter: Waiter): void
  /** Whether it waited. */
  remove(waiter: Waiter): boolean
  /** Moves it to the end of those who are as urgent, if that is more than it was. */
  hasten(waiter: Waiter, urgency: Urgency): void
}

/** Creates an empty queue. */
export function createQueue(): Queue {
  const lines: Readonly<Record<Urgency, Set<Waiter>>> = {
    recovery: new Set(),
    demand: new Set(),
    renewal: new Set(),
  }

  return {
    size: only =>
      only === undefined ? ORDER.reduce((sum, urgency) => sum + lines[urgency].size, 0) : lines[only].size,
    next(mayGo) {
      for (const urgency of ORDER) {
        for (const waiter of lines[urgency]) if (mayGo(waiter)) return waiter
      }
      return undefined
    },
    all: () => ORDER.flatMap(urgency => [...lines[urgency]]),
    add: waiter => void lines[waiter.urgency].add(waiter),
    remove(waiter) {
      if (!lines[waiter.urgency].delete(waiter)) return false
      waiter.left()
      return true
    },
    hasten(waiter, urgency) {
      const more = ORDER.indexOf(urgency) < ORDER.indexOf(waiter.urgency)
      if (!more || !lines[waiter.urgency].delete(waiter)) return
      waiter.urgency = urgency
      lines[urgency].add(waiter)
    },
  }
}
