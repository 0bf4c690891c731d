import { setTimeout } from 'node:timers/promises'
import type { Log } from '../broker/ports.ts'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/problem.ts'

/** How soon a configuration is completed again whose secrets did not come; doubles up to the longest. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 30_000

/**
 * Completes a configuration. While all that is wrong is that commands give no secret, as when a key management
 * service is down, it is tried again for as long as it takes: a process that ended and was started again would only
 * ask more often, and may be given up by whoever starts it.
 *
 * @param wait waits that many milliseconds; real time unless a test says otherwise
 * @returns undefined if SIGINT or SIGTERM came first
 * @throws ConfigError if anything else is wrong
 */
export async function configWhenSecretsCome(
  complete: () => Promise<Config>,
  log: Log,
  wait: (ms: number, signal: AbortSignal) => Promise<unknown> = (ms, signal) =>
    setTimeout(ms, undefined, { signal }),
): Promise<Config | undefined> {
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end)
  try {
    for (let delay = RETRY_MIN_MS; !stop.signal.aborted; delay = Math.min(2 * delay, RETRY_MAX_MS)) {
      try {
        return await complete()
      } catch (error) {
        if (!(error instanceof ConfigError) || !error.mayPass) throw error
        log.error('Secrets of the configuration cannot be read yet; not serving, trying again', {
          problems: error.message.split('\n'),
          retryAfterMs: delay,
        })
      }
      await wait(delay, stop.signal).catch(() => {})
    }
    return undefined
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end)
  }
}
