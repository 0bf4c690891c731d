import type { RestoreReport } from '../../store/restores.ts'
import type { Store } from '../../store/store.ts'
import { guard } from '../connections.ts'
import type { Clock, Log } from '../ports.ts'

/** How often the outcome is looked at until it is complete. */
const LOOK_MS = 10_000

/** Watches over the check of an accepted older copy and reports its outcome once. */
export interface RestoreWatch {
  report(): Promise<RestoreReport | undefined>
  start(): void
  stop(): void
}

/** Creates the watch; nothing happens before `start`. */
export function createRestoreWatch({
  store,
  clock,
  log,
}: {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
}): RestoreWatch {
  let cancel = () => {}
  let stopped = true

  async function look(): Promise<void> {
    const isDone = await lookOnce().catch(error => {
      log.error('Could not look at the check of the accepted copy; it is tried again', { error })
      return false
    })
    if (!isDone && !stopped) cancel = clock.schedule(LOOK_MS, () => void look())
  }

  /** @returns whether there is nothing more to report */
  async function lookOnce(): Promise<boolean> {
    const report = await store.restoreReport()
    if (report === undefined || report.reportedAt !== undefined) return true
    const { survived, lost, pending } = report
    if (pending > 0) return false
    log.warn('All connections of the accepted copy are checked', { survived, lost })
    await store.noteRestoreReported(clock.now())
    return true
  }

  return {
    report: () => guard(store.restoreReport()),
    start() {
      if (!stopped) return
      stopped = false
      void look()
    },
    stop() {
      stopped = true
      cancel()
    },
  }
}
