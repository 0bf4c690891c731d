import type { ScheduleShift } from '../../store/queries.ts'
import type { Store } from '../../store/store.ts'
import type { Clock, Log } from '../ports.ts'

/** How far the wall clock may lie behind the highest time ever noted before it counts as wrong. */
const BEHIND_MS = 60_000
/** By how much wall and monotonic clock may drift apart between two looks before it counts as a jump. */
const JUMP_MS = 60_000
/** How long after a jump nothing is thrown away for its age: whoever has set the clock wrong has noticed by then. */
const JUMP_REMEMBERED_MS = 86_400_000
/** How often the highest time is noted, but for jumps, which are noted at once. */
const NOTE_MS = 60_000

/**
 * Watches the wall clock, which people and machines set. Within a run the monotonic clock tells how old a token is;
 * after a restart there is only the wall clock, and the highest time that was noted before.
 */
export interface WallClock {
  /** Whether the clock is behind what an earlier run noted, so that no age can be told from it. */
  isBehind(): boolean
  /** Whether the clock was set back and the store has not been told, so that what is read there tells no age yet. */
  isUntold(): boolean
  /** Whether a moment lies so far ahead that it was told by a clock which has been set back since. */
  isAhead(time: number): boolean
  /** Whether the clock has jumped lately, up to now, so that nothing may be thrown away because of its age. */
  hasJumped(): boolean
  /** Reads what was noted, until that has succeeded once; to be called before anything is served. */
  start(): Promise<void>
  /** Makes sure that what was noted has been read, if it is to be: the store may have failed at the start. */
  known(): Promise<void>
  /** Notices a jump; to be called whenever something is planned. */
  observe(): void
  /** The same, and notes the time now and then; to be called often. */
  look(): Promise<void>
  /** By how much the clock was set back, as far as the store has not been told; `undefined` = it was not. */
  setBack(): ScheduleShift | undefined
  /** Says that the store has been told that: from now on the time is noted as it is. */
  caughtUp(shift: ScheduleShift): Promise<void>
}

/** Creates the watch over a store's noted time. */
export function createWallClock(store: Store, clock: Clock, log: Log): WallClock {
  let mark = 0
  let isStarted = false
  let isKnown = false
  let noteAt = Number.NEGATIVE_INFINITY
  let jumpedAt = Number.NEGATIVE_INFINITY
  let setBackMs = 0
  /** What remains of it after what the clock had jumped ahead before: that was put right. */
  let irreplaceableByMs = 0
  let aheadMs = 0
  /** Whether the clock was set back while nothing ran, by nobody knows how much more. */
  let isAgeUnknown = false
  let offset = clock.now() - clock.monotonic()

  function observe(): void {
    const moved = clock.now() - clock.monotonic() - offset
    offset += moved
    if (Math.abs(moved) <= JUMP_MS) return
    jumpedAt = clock.monotonic()
    // What is planned on the new clock would come too late if it were set back during a restart that knows of nothing.
    noteAt = Number.NEGATIVE_INFINITY
    if (moved > 0) aheadMs += moved
    else {
      setBackMs -= moved
      irreplaceableByMs += Math.max(0, -moved - aheadMs)
      aheadMs = Math.max(0, aheadMs + moved)
    }
    log.error('The wall clock jumped; expiries are told by the clock that did not', {
      byMs: Math.round(moved),
    })
  }

  async function start(): Promise<void> {
    isStarted = true
    if (isKnown) return
    const noted = await store.clockMark()
    // Others may have asked meanwhile.
    if (isKnown) return
    isKnown = true
    mark = noted ?? 0
    const behindMs = mark - clock.now()
    if (behindMs > BEHIND_MS) {
      setBackMs += behindMs
      isAgeUnknown = true
      jumpedAt = clock.monotonic()
      log.error('The clock is behind the last run: stored access tokens count as expired', { behindMs })
    }
  }

  return {
    observe,
    isBehind: () => clock.now() < mark - BEHIND_MS,
    isUntold() {
      observe()
      return setBackMs > 0
    },
    isAhead: time => time > clock.now() + BEHIND_MS,
    hasJumped() {
      observe()
      return clock.monotonic() - jumpedAt < JUMP_REMEMBERED_MS
    },
    start,
    async known() {
      if (isStarted) await start()
    },
    async look() {
      observe()
      if (clock.monotonic() < noteAt) return
      await store.raiseClockMark(clock.now())
      noteAt = clock.monotonic() + NOTE_MS
    },
    setBack() {
      if (setBackMs === 0) return undefined
      const after = clock.now()
      return {
        after,
        byMs: Math.round(setBackMs),
        latest: isAgeUnknown ? after : Number.MAX_SAFE_INTEGER,
        irreplaceableByMs: Math.round(irreplaceableByMs),
      }
    },
    async caughtUp(shift) {
      // What the clock was set back meanwhile is left.
      setBackMs = Math.max(0, Math.round(setBackMs) - shift.byMs)
      irreplaceableByMs = Math.max(0, Math.round(irreplaceableByMs) - shift.irreplaceableByMs)
      isAgeUnknown = false
      // By what it was set back while the store was told, the next run would have to know if this one dies now.
      observe()
      await store.setClockMark(clock.now() + setBackMs)
    },
  }
}
