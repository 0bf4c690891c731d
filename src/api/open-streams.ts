import type { Clock } from '../broker/ports.ts'

/** A right that ends by time alone, as a token's, ends a silent stream after that many milliseconds at most. */
const CHECK_INTERVAL_MS = 900

/** Looks after open streams, which outlive the moment at which their callers' rights were judged. */
export interface OpenStreams {
  /**
   * Begins to look after a stream.
   *
   * @param check judges its caller's rights anew and ends it if they are gone; must not throw
   * @returns ends the looking after
   */
  add(check: () => void): () => void
  /** Judges all at once: the rules are others. */
  checkAll(): void
}

/** Creates the watch over open streams; it does nothing while there are none. */
export function createOpenStreams(clock: Pick<Clock, 'schedule'>): OpenStreams {
  const checks = new Set<() => void>()
  let cancel: (() => void) | undefined

  function checkAll(): void {
    for (const check of [...checks]) check()
  }

  function plan(): void {
    cancel = clock.schedule(CHECK_INTERVAL_MS, () => {
      checkAll()
      cancel = undefined
      if (checks.size > 0) plan()
    })
  }

  return {
    add(check) {
      const own = () => check()
      checks.add(own)
      if (cancel === undefined) plan()
      return () => {
        checks.delete(own)
        if (checks.size > 0) return
        cancel?.()
        cancel = undefined
      }
    },
    checkAll,
  }
}
