import type { Clock } from '../../src/broker/ports.ts'

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /** Moves both clocks and calls back what became due, in order, letting promises run in between. */
  advance(ms: number): Promise<void>
  /** Moves the wall clock alone. */
  jump(ms: number): void
}

/** Creates a clock at a fixed moment. */
export function createFakeClock(start = Date.UTC(2026, 0, 1)): FakeClock {
  let wall = start
  let elapsed = 0
  let timers: { readonly at: number; readonly callback: () => void }[] = []

  return {
    now: () => wall,
    monotonic: () => elapsed,
    schedule(ms, callback) {
      const timer = { at: elapsed + ms, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter(other => other !== timer)
      }
    },
    jump: ms => {
      wall += ms
    },
    async advance(ms) {
      const end = elapsed + ms
      for (;;) {
        await settle()
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter(other => other !== next)
        const step = Math.max(0, next.at - elapsed)
        wall += step
        elapsed += step
        next.callback()
      }
      wall += end - elapsed
      elapsed = end
      await settle()
    },
  }
}

/** Lets everything run that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
}
