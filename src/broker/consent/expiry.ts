import type { Audit } from '../../audit/audit.ts'
import type { Store } from '../../store/store.ts'
import type { Clock, Log } from '../ports.ts'
import { expiration } from './audit.ts'
import { sayExpired } from './outcome.ts'

/** How often held codes of other processes, and of a former run, are looked for. It costs one read of an index. */
const SWEEP_MS = 30_000

/** Destroys codes that nobody came for in time. */
export interface ConsentExpiry {
  /** Begins to look now and then; what a former run held too long goes at once. */
  start(): void
  /** Looks at that time, too: milliseconds since the epoch. */
  plan(expiresAt: number): void
  /** Plans nothing more; resolves when a look under way has ended. */
  stop(): Promise<void>
}

interface Ports {
  readonly store: Store
  readonly audit: Audit
  readonly clock: Clock
  readonly log: Log
}

/** Creates the expiry over one store. */
export function createConsentExpiry({ store, audit, clock, log }: Ports): ConsentExpiry {
  const cancels = new Set<() => void>()
  let stopped = false
  let look: Promise<void> = Promise.resolve()

  function sweep(now: number): void {
    look = look.then(() => expireUntil(now))
  }

  async function expireUntil(now: number): Promise<void> {
    try {
      const expired = await store.expireHeldConsents(now, consent => audit.entry(expiration(consent)))
      for (const consent of expired) sayExpired(log, consent)
    } catch (error) {
      log.error('Could not destroy held codes whose time is over; it is tried again', { error })
    }
  }

  function later(ms: number, action: () => void): void {
    if (stopped) return
    const cancel = clock.schedule(ms, () => {
      cancels.delete(cancel)
      action()
    })
    cancels.add(cancel)
  }

  function every(): void {
    sweep(clock.now())
    later(SWEEP_MS, every)
  }

  return {
    start: every,
    plan(expiresAt) {
      // The timer runs on the clock that nobody sets: when it fires the time is over, whatever the wall says.
      later(expiresAt - clock.now(), () => sweep(Math.max(clock.now(), expiresAt)))
    },
    async stop() {
      stopped = true
      for (const cancel of cancels) cancel()
      cancels.clear()
      await look
    },
  }
}
