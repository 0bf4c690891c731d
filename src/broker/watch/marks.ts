import type { Clock, Random } from '../ports.ts'

/** That many streams are woken within {@link CROWD_WINDOW_MS} without delay: what is usual stays quick. */
const PROMPT_MAX = 100
const CROWD_WINDOW_MS = 1_000
/** Beyond that, each is woken at a random moment within this time, so that callers do not all come at once. */
const SPLAY_MS = 1_000

/** Spreads what many streams are told at once, after an outage or a mass refresh. */
export interface Splay {
  /** Milliseconds that a stream should wait before it delivers a change; 0 unless there is a crowd. */
  delayMs(): number
}

/** Creates the splay of all streams of a broker. */
export function createSplay(clock: Pick<Clock, 'monotonic'>, random: Pick<Random, 'fraction'>): Splay {
  let windowStart = Number.NEGATIVE_INFINITY
  let woken = 0
  return {
    delayMs() {
      const now = clock.monotonic()
      if (now - windowStart >= CROWD_WINDOW_MS) {
        windowStart = now
        woken = 0
      }
      return ++woken <= PROMPT_MAX ? 0 : random.fraction() * SPLAY_MS
    },
  }
}

/**
 * What one stream has still to look at. A mark says that something may have changed, never what: however slow
 * the reader is, there is one mark for each thing, and it gets the newest state when it comes to it.
 */
export interface Marks<T> {
  /** Marks something; marking it again changes nothing. */
  add(key: string, item: T): void
  /** The same for what must not be delayed: a first state. */
  addPromptly(key: string, item: T): void
  /** Takes the oldest mark. */
  take(): T | undefined
  has(key: string): boolean
  /** How many there are. */
  size(): number
  /** Waits until there is something to take; resolves to false once the stream has ended. */
  ready(): Promise<boolean>
}

/**
 * Creates the marks of one stream.
 *
 * @param signal aborts when the stream ends
 */
export function createMarks<T>(splay: Splay, clock: Pick<Clock, 'schedule'>, signal: AbortSignal): Marks<T> {
  const pending = new Map<string, T>()
  let held = false
  let wake: (() => void) | undefined
  signal.addEventListener('abort', () => wake?.(), { once: true })

  function release(): void {
    held = false
    wake?.()
  }

  return {
    add(key, item) {
      const first = pending.size === 0
      pending.set(key, item)
      if (!first) return
      const delayMs = splay.delayMs()
      held = delayMs > 0
      if (held) clock.schedule(delayMs, release)
      else release()
    },
    addPromptly(key, item) {
      pending.set(key, item)
      release()
    },
    take() {
      const [first] = pending
      if (first !== undefined) pending.delete(first[0])
      return first?.[1]
    },
    has: key => pending.has(key),
    size: () => pending.size,
    async ready() {
      while (!signal.aborted && (pending.size === 0 || held)) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      return !signal.aborted
    },
  }
}
