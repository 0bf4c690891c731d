import type { ConnectionName } from '../broker.ts'
import type { Changes } from '../changes.ts'
import { type Connection, keyOf } from '../connection.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log } from '../ports.ts'
import type { TokenView } from '../tokens/view.ts'

/** A watched connection is looked at this soon after it changed, and at most this often. */
const LOOK_MIN_MS = 1_000
/** And at least this often: the wall clock may jump, and what failed to start is started again. */
const LOOK_MAX_MS = 30_000
/** How often being watched counts as a use. Uses matter by the day; each costs a write. */
const TOUCH_INTERVAL_MS = 600_000

/**
 * Looks after connections while somebody watches them: they count as used, their tokens are renewed ahead, and
 * an end that comes by time alone is told as a change.
 */
export interface Upkeep {
  /** Begins to watch; `onChange` is called at every change. The returned function ends it. */
  watch(name: ConnectionName, onChange: () => void): () => void
}

interface Ports {
  readonly changes: Changes
  readonly clock: Clock
  readonly log: Log
  /** Looks at a connection; see `viewToken`. */
  readonly view: (name: ConnectionName) => Promise<TokenView>
  readonly touch: (connection: Connection) => void
}

/** One connection that somebody watches. */
interface Watched {
  readonly name: ConnectionName
  watchers: number
  /** Whether the last look found a token. */
  good: boolean
  touchedAt: number
  /** When the next look comes, on the monotonic clock. */
  nextLookAt: number
  cancelLook: () => void
  endChanges: () => void
}

/** Creates the upkeep; it does nothing while nobody watches. */
export function createUpkeep(ports: Ports): Upkeep {
  const { changes, clock, log } = ports
  const all = new Map<string, Watched>()

  function begin(name: ConnectionName): Watched {
    const watched: Watched = {
      name,
      watchers: 0,
      good: false,
      touchedAt: Number.NEGATIVE_INFINITY,
      nextLookAt: Number.POSITIVE_INFINITY,
      cancelLook: () => {},
      endChanges: changes.watch(name, () => plan(watched, LOOK_MIN_MS)),
    }
    all.set(keyOf(name), watched)
    plan(watched, LOOK_MIN_MS)
    return watched
  }

  /** Plans a look unless an earlier one is planned. */
  function plan(watched: Watched, ms: number): void {
    const at = clock.monotonic() + ms
    if (watched.nextLookAt <= at) return
    watched.cancelLook()
    watched.nextLookAt = at
    watched.cancelLook = clock.schedule(ms, () => void look(watched))
  }

  async function look(watched: Watched): Promise<void> {
    watched.nextLookAt = Number.POSITIVE_INFINITY
    const view = await viewOrNothing(watched.name)
    if (watched.watchers === 0) return
    const wasGood = watched.good
    watched.good = view?.kind === 'token'
    plan(watched, nextLookMs(view))
    if (view?.kind === 'token') touch(watched, view.connection)
    // Nobody has written anything: time alone has ended it.
    else if (wasGood) changes.publish(watched.name)
    if (view?.kind === 'wait') await view.wait().catch(() => {})
  }

  async function viewOrNothing(name: ConnectionName): Promise<TokenView | undefined> {
    try {
      return await ports.view(name)
    } catch (error) {
      if (!(error instanceof BrokerError)) log.error('Could not look at a watched connection', { error })
      return undefined
    }
  }

  function touch(watched: Watched, connection: Connection | undefined): void {
    const now = clock.monotonic()
    if (connection === undefined || now - watched.touchedAt < TOUCH_INTERVAL_MS) return
    watched.touchedAt = now
    ports.touch(connection)
  }

  return {
    watch(name, onChange) {
      const watched = all.get(keyOf(name)) ?? begin(name)
      watched.watchers++
      const end = changes.watch(name, onChange)
      return () => {
        end()
        if (--watched.watchers > 0) return
        watched.cancelLook()
        watched.endChanges()
        all.delete(keyOf(name))
      }
    },
  }
}

/** At the moments at which a token should be renewed and at which it ends, within the two limits. */
function nextLookMs(view: TokenView | undefined): number {
  if (view?.kind !== 'token') return LOOK_MAX_MS
  const { renewInMs = Number.POSITIVE_INFINITY, endsInMs = Number.POSITIVE_INFINITY } = view
  const next = renewInMs > 0 ? renewInMs : endsInMs
  return Math.min(Math.max(Math.ceil(next), LOOK_MIN_MS), LOOK_MAX_MS)
}
