import type { Store } from '../../store/store.ts'
import type { Clock, Log } from '../ports.ts'

/** How far the wall clock may lie behind the highest time ever noted before it counts as wrong. */
const BEHIND_MS = 60_000
/** By how much wall and monotonic clock may drift apart between two looks before it counts as a jump. */
const JUMP_MS = 60_000
/** How long after a jump nothing is thrown away for its age: whoever has set the clock wrong has noticed by then. */
const JUMP_REMEMBERED_MS = 86_400_000
/** How often the highest time is noted; what happens in between is lost to a crash. */
const NOTE_MS = 60_000

/**
 * Watches the wall clock, which people and machines set. Within a run the monotonic clock tells how old a token is;
 * after a restart there is only the wall clock, and the highest time that was noted before.
 */
export interface WallClock {
  /** Whether the clock is behind what an earlier run noted, so that no age can be told from it. */
  isBehind(): boolean
  /** Whether a moment lies so far ahead that it was told by a clock which has been set back since. */
  isAhead(time: number): boolean
  /** Whether the clock has jumped lately, up to now, so that nothing may be thrown away because of its age. */
  hasJumped(): boolean
  /** Reads what was noted; to be called before anything is served. */
  start(): Promise<void>
  /** Notices a jump; to be called whenever something is planned. */
  observe(): void
  /** The same, and notes the time now and then; to be called often. */
  look(): Promise<void>
  /** Whole milliseconds by which the clock was set back, as far as the schedule has not been told; 0 = it was not. */
  setBackMs(): number
  /** Says that the schedule has been told: from now on the time is noted as it is. */
  caughtUp(): Promise<void>
}

/** Creates the watch over a store's noted time. */
export function createWallClock(store: Store, clock: Clock, log: Log): WallClock {
  let mark = 0
  let noteAt = Number.NEGATIVE_INFINITY
  let jumpedAt = Number.NEGATIVE_INFINITY
  let setBack = 0
  let offset = clock.now() - clock.monotonic()

  function observe(): void {
    const moved = clock.now() - clock.monotonic() - offset
    offset += moved
    if (Math.abs(moved) <= JUMP_MS) return
    jumpedAt = clock.monotonic()
    setBack += Math.max(0, -moved)
    log.error('The wall clock jumped; expiries are told by the clock that did not', {
      byMs: Math.round(moved),
    })
  }

  return {
    observe,
    isBehind: () => clock.now() < mark - BEHIND_MS,
    isAhead: time => time > clock.now() + BEHIND_MS,
    hasJumped() {
      observe()
      return clock.monotonic() - jumpedAt < JUMP_REMEMBERED_MS
    },
    async start() {
      mark = (await store.clockMark()) ?? 0
      const behindMs = mark - clock.now()
      if (behindMs > BEHIND_MS) {
        setBack += behindMs
        log.error('The clock is behind the last run: stored access tokens count as expired', { behindMs })
      }
    },
    async look() {
      observe()
      if (clock.monotonic() < noteAt) return
      noteAt = clock.monotonic() + NOTE_MS
      await store.raiseClockMark(clock.now())
    },
    setBackMs: () => Math.round(setBack),
    async caughtUp() {
      await store.setClockMark(clock.now())
      setBack = 0
    },
  }
}
