import { onTestFinished, vi } from 'vitest'

/** The clocks of this process, which the broker and the server beside it read alike. */
export interface MovableTime {
  /** Milliseconds by which all that is asked for the time from now on finds it later. Timers do not move. */
  pass(ms: number): void
}

/** Takes the clocks over until the test ends. They go on by themselves; only {@link MovableTime.pass} makes them jump. */
export function takeOverTime(): MovableTime {
  let ahead = 0
  const wall = Date.now
  const monotonic = performance.now.bind(performance)
  const spies = [
    vi.spyOn(Date, 'now').mockImplementation(() => wall() + ahead),
    vi.spyOn(performance, 'now').mockImplementation(() => monotonic() + ahead),
  ]
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore()
  })
  return {
    pass(ms) {
      ahead += ms
    },
  }
}
