import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../broker/ports.ts'

/** The clocks and timers of the process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Math.floor(performance.now()),
  schedule(ms, callback) {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** The operating system's randomness. */
export const systemRandom: Random = {
  token: bytes => randomBytes(bytes).toString('base64url'),
  // 53 bits, as many as a double holds.
  fraction: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
}
