import { createHash } from 'node:crypto'
import type { ConnectionName, ConnectionStatus } from '../broker.ts'
import { keyOf } from '../connection.ts'
import type { Clock } from '../ports.ts'

/** States that one stream remembers to have sent, about 200 bytes each; what is forgotten is sent once more. */
const REMEMBERED_MAX = 10_000
/** Ends of failing connections that one stream waits for. Beyond that, the next change tells. */
const ENDS_MAX = 1_000
/** Timers are not set further ahead: the wall clock may jump, and what is looked at too early is no news. */
const END_MS_MAX = 3_600_000

/** What one stream has sent lately. */
export interface RecentStates {
  /** Whether a state says something new; it is then taken as sent. */
  isNews(status: ConnectionStatus): boolean
  close(): void
}

/**
 * Creates the memory of one stream.
 *
 * @param onEnd called when the token of a failing connection has ended, which changes its state although nobody
 *   writes anything
 */
export function createRecentStates(clock: Clock, onEnd: (name: ConnectionName) => void): RecentStates {
  const sent = new Map<string, string>()
  const ends = new Map<string, () => void>()

  function forgetEnd(key: string): void {
    ends.get(key)?.()
    ends.delete(key)
  }

  function awaitEnd(key: string, { provider, account, ...status }: ConnectionStatus): void {
    forgetEnd(key)
    const { expiresAt } = status
    if (!status.connected || status.healthy || expiresAt === undefined || ends.size >= ENDS_MAX) return
    const ms = Math.min(Math.max(expiresAt - clock.now(), 0) + 1, END_MS_MAX)
    const cancel = clock.schedule(ms, () => {
      ends.delete(key)
      onEnd({ provider, account })
    })
    ends.set(key, cancel)
  }

  return {
    isNews(status) {
      const key = keyOf(status)
      awaitEnd(key, status)
      const digest = digestOf(status)
      if (sent.get(key) === digest) return false
      sent.delete(key)
      sent.set(key, digest)
      const oldest = sent.keys().next().value
      if (sent.size > REMEMBERED_MAX && oldest !== undefined) sent.delete(oldest)
      return true
    },
    close() {
      for (const cancel of ends.values()) cancel()
    },
  }
}

/** Without what moves although the state stays: uses, and a sentence that counts seconds. */
function digestOf({ lastUsedAt: _used, diagnosis: _sentence, ...status }: ConnectionStatus): string {
  return createHash('sha256').update(JSON.stringify(status)).digest('base64')
}
