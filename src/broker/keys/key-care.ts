import { kidOf } from '../../store/sealed-values.ts'
import type { SpooledCommit } from '../../store/spool.ts'
import type { KeyPorts } from './keys.ts'
import { resealValues } from './reseal.ts'

/** How often keys are looked at when there is nothing to do. */
const LOOK_MS = 3_600_000
/** How soon again while a key waits to be retired: the spool holds a value of it, or the store was away. */
const RETRY_MS = 30_000
/**
 * How long a key is kept after it has sealed its last value: as long as backups are usually kept (35 days is the
 * longest that managed databases offer), for values that are carried over from one.
 */
export const RETIRED_KEY_KEPT_MS = 35 * 86_400_000

/** Brings every value under the primary key, and keys without values to their end. */
export interface KeyCare {
  start(): void
  /** Looks at once. */
  hasten(): void
  isResealing(): boolean
  /** How many values of a key did not open when they were last to be sealed anew. */
  unreadableOf(kid: string): number
  /** Stops after the batch under way; the rest is done after the next start. */
  stop(): Promise<void>
}

/** Creates the care of the keys of one store; nothing happens before `start`. */
export function createKeyCare(ports: KeyPorts): KeyCare {
  const { admin, store, audit, clock, log } = ports
  let stopped = true
  let resealing = false
  let again = false
  let look: Promise<void> = Promise.resolve()
  let cancel = () => {}
  let isLooking = false
  const unreadables = new Map<string, number>()

  /** @returns whether every value is under the primary key */
  async function bringHome(): Promise<boolean> {
    // A crash may have come between making a key and using it; who asked for it went with the process.
    await admin.finishRotation(keyId => audit.entry({ event: 'KEYS_ROTATED', keyId }))
    const keys = (await admin.list()).filter(
      ({ purpose, state }) => purpose === 'seal' && state !== 'primary',
    )
    const counts = new Map((await store.countSealedValues()).map(({ kid, count }) => [kid, count]))
    let unreadable = 0
    for (const { kid } of keys) {
      const values = counts.get(kid) ?? 0
      if (values === 0) {
        unreadables.delete(kid)
        continue
      }
      log.info('Values of an older key are sealed anew', { keyId: kid, values })
      resealing = true
      const left = await resealValues(ports, kid, () => stopped)
      unreadables.set(kid, left)
      unreadable += left
    }
    resealing = false
    if (unreadable > 0) {
      log.error('Values of an older key do not open, so it is kept; see list for UNREADABLE', { unreadable })
    }
    return (await retire(keys.filter(({ state }) => state === 'active'))) || unreadable > 0
  }

  /** @returns whether all of them are retired */
  async function retire(keys: readonly { readonly kid: string }[]): Promise<boolean> {
    const spooled = await spooledKids()
    let isDone = true
    for (const { kid } of keys) {
      const entry = audit.entry({ event: 'KEY_RETIRED', keyId: kid })
      if (stopped || spooled.has(kid) || !(await store.retireKey(kid, clock.now(), entry))) {
        isDone = false
        continue
      }
      log.info('A key seals nothing any more and is retired', { keyId: kid })
    }
    // What waits in the spool may still name a key that was retired before.
    if (stopped || spooled.size > 0) return isDone
    for (const keyId of await store.forgetRetiredKeys(clock.now() - RETIRED_KEY_KEPT_MS)) {
      log.info('A retired key is deleted', { keyId })
    }
    return isDone
  }

  async function spooledKids(): Promise<ReadonlySet<string>> {
    const { commits } = await ports.spool.list()
    return new Set(commits.flatMap(kidsOf))
  }

  async function run(): Promise<void> {
    isLooking = true
    let isDone = false
    try {
      isDone = await bringHome()
    } catch (error) {
      log.error('Could not take care of the keys; it is tried again', { error })
    }
    resealing = false
    isLooking = false
    const isAskedAgain = again
    again = false
    plan(isAskedAgain ? 0 : isDone ? LOOK_MS : RETRY_MS)
  }

  function plan(ms: number): void {
    if (stopped) return
    cancel()
    cancel = clock.schedule(ms, () => {
      look = run()
    })
  }

  return {
    isResealing: () => resealing,
    unreadableOf: kid => unreadables.get(kid) ?? 0,
    start() {
      if (!stopped) return
      stopped = false
      plan(0)
    },
    hasten() {
      if (isLooking) again = true
      else plan(0)
    },
    async stop() {
      stopped = true
      cancel()
      await look
    },
  }
}

function kidsOf({ outcome }: SpooledCommit): string[] {
  const sealed = 'sealedAccessToken' in outcome ? [outcome.sealedAccessToken] : []
  const all = outcome.sealedRefreshToken === undefined ? sealed : [...sealed, outcome.sealedRefreshToken]
  return all.map(kidOf)
}
