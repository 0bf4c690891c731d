import type { ConnectionRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { endingSoon } from '../ending.ts'
import type { Clock, Log } from '../ports.ts'

/** A connection is warned of that often, however often it is refreshed or fails. */
const REPEAT_MS = 86_400_000
/** How many connections are remembered for that; the one warned of longest ago is forgotten first. */
const REMEMBERED_MAX = 10_000
/** How soon after the start, and then how often, all connections are looked at: those of a closed provider are not tried. */
const FIRST_LOOK_MS = 60_000
const LOOK_MS = 6 * 3_600_000
/** A look takes small bites, so that nobody waits for it. */
const PAGE_SIZE = 200
const PAGE_PAUSE_MS = 100
/** Lines of one look; how many more there are is told. */
const LINES_MAX = 100

/** Says in the log, in time and not too often, which connections a human will have to consent to again. */
export interface EndingWarnings {
  /** Warns of a connection whose end is near, unless it was warned of within a day. */
  consider(row: ConnectionRow): void
  /** Looks at all connections now and then. */
  start(): void
  /** Resolves when a look that is under way has ended. */
  stop(): Promise<void>
}

/** Creates the warnings; nothing happens by itself before `start`. */
export function createEndingWarnings(ports: {
  readonly store: Pick<Store, 'listConnections'>
  readonly clock: Clock
  readonly log: Log
}): EndingWarnings {
  const { store, clock, log } = ports
  const warnedAt = new Map<string, number>()
  let stopped = true
  let cancel = () => {}
  let look: Promise<void> = Promise.resolve()

  function isNews({ id }: ConnectionRow): boolean {
    const last = warnedAt.get(id)
    return last === undefined || clock.monotonic() - last >= REPEAT_MS
  }

  function remember({ id }: ConnectionRow): void {
    warnedAt.delete(id)
    warnedAt.set(id, clock.monotonic())
    const oldest = warnedAt.keys().next().value
    if (warnedAt.size > REMEMBERED_MAX && oldest !== undefined) warnedAt.delete(oldest)
  }

  /** Whether there was something to say, and it may be said. */
  function warn(row: ConnectionRow, maySay = true): boolean {
    const ending = endingSoon(row, clock.now())
    if (ending === undefined || !isNews(row)) return false
    if (!maySay) return true
    remember(row)
    const { provider, account, failures } = row
    const ends = new Date(ending.at).toISOString()
    if (ending.of === 'grant') {
      log.warn('The grant ends soon; somebody has to consent again', { provider, account, ends })
    } else {
      log.warn('The refresh token lapses soon unless a refresh succeeds', {
        provider,
        account,
        ends,
        failures,
      })
    }
    return true
  }

  async function lookAtAll(): Promise<void> {
    let said = 0
    let after: ConnectionRow | undefined
    do {
      const page = await store.listConnections({ after, limit: PAGE_SIZE })
      for (const row of page) if (warn(row, said < LINES_MAX)) said++
      after = page.length < PAGE_SIZE ? undefined : page.at(-1)
      if (after !== undefined && !stopped) await pause()
    } while (after !== undefined && !stopped)
    if (said > LINES_MAX) log.warn('More grants and refresh tokens end soon', { count: said - LINES_MAX })
  }

  async function pause(): Promise<void> {
    await new Promise<void>(resolve => {
      const cancelTimer = clock.schedule(PAGE_PAUSE_MS, resolve)
      cancel = () => {
        cancelTimer()
        resolve()
      }
    })
  }

  function plan(ms: number): void {
    if (stopped) return
    cancel = clock.schedule(ms, () => {
      // A store that cannot be read is reported by who needs it more; the next look makes up for this one.
      look = lookAtAll().then(
        () => plan(LOOK_MS),
        () => plan(LOOK_MS),
      )
    })
  }

  return {
    consider: row => void warn(row),
    start() {
      if (!stopped) return
      stopped = false
      plan(FIRST_LOOK_MS)
    },
    async stop() {
      stopped = true
      cancel()
      await look
    },
  }
}
