import { setTimeout as pause } from 'node:timers/promises'

/** Milliseconds between two looks: short against everything that is waited for. */
const LOOK_MS = 20

/**
 * Looks again and again until something is there.
 *
 * @param what  names it in the error
 * @param ms    how long at the most
 * @param probe answers undefined or false as long as it is not there; its failures count as that
 * @throws Error when time is over, with the last failure as its cause
 */
export async function until<T>(
  what: string,
  ms: number,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + ms
  let cause: unknown
  do {
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    await pause(LOOK_MS)
  } while (performance.now() < end)
  throw new Error(`${what}: not within ${ms / 1_000} s`, { cause })
}

/** Resolves after that time, rejects if it is aborted; for the moment of a fault, never to wait for an effect. */
export function elapse(ms: number, signal?: AbortSignal): Promise<void> {
  return pause(ms, undefined, { signal })
}
