import type { Clock } from './ports.ts'

/** Waiting that a closing sandbox can end. */
export interface Pauses {
  /** Resolves after that many milliseconds; never, if they are cancelled before. 0 resolves at once. */
  wait(ms: number): Promise<void>
  /** Lets nobody go on who waits now. */
  cancel(): void
}

export function createPauses(clock: Clock): Pauses {
  const cancels = new Set<() => void>()
  return {
    wait(ms) {
      if (ms === 0) return Promise.resolve()
      return new Promise(resolve => {
        const cancel = clock.schedule(ms, () => {
          cancels.delete(cancel)
          resolve()
        })
        cancels.add(cancel)
      })
    },
    cancel() {
      for (const cancel of cancels) cancel()
      cancels.clear()
    },
  }
}
