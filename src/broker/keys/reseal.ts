import { type Keyring, UnreadableError } from '../../store/keyring.ts'
import type { Resealing, SealedValue } from '../../store/sealed-values.ts'
import type { Store } from '../../store/store.ts'
import type { Clock } from '../ports.ts'

/** Values in one transaction: 2 to 3 ms of work, so that no call waits longer for its turn. */
const BATCH_MAX = 25
/** Between two batches, for the calls: together about 450 values a second, 100,000 connections in eight minutes. */
const PAUSE_MS = 50
/** Where a batch takes longer, the machine has other work: a tenth of the time is ours, at the most. */
const PAUSE_PER_WORK = 9
const PAUSE_MS_MAX = 1_000

interface Ports {
  readonly store: Pick<Store, 'listSealedValues' | 'replaceSealedValues'>
  readonly keyring: Keyring
  readonly clock: Clock
}

/**
 * Seals anew whatever a key seals, batch by batch. What is renewed meanwhile is left alone: a value is replaced only
 * if it is still the one that was read. To be called again after an interruption; what was done stays done.
 *
 * @param isStopped asked before each batch
 * @returns how many values do not open, and so stay as they are
 * @throws StoreError
 */
export async function resealValues(
  { store, keyring, clock }: Ports,
  kid: string,
  isStopped: () => boolean,
): Promise<number> {
  let unreadable = 0
  let after: SealedValue | undefined
  while (!isStopped()) {
    const started = clock.monotonic()
    const page = await store.listSealedValues({ kid, after: after?.context, limit: BATCH_MAX })
    after = page.at(-1)
    if (after === undefined) break
    const resealings = page.flatMap(value => reseal(keyring, value))
    unreadable += page.length - resealings.length
    await store.replaceSealedValues(resealings)
    const work = clock.monotonic() - started
    const pause = Math.min(Math.max(PAUSE_MS, PAUSE_PER_WORK * work), PAUSE_MS_MAX)
    await new Promise<void>(resolve => clock.schedule(pause, resolve))
  }
  return unreadable
}

function reseal(keyring: Keyring, { context, sealed }: SealedValue): Resealing[] {
  try {
    return [{ context, sealed, resealed: keyring.seal(keyring.open(sealed, context), context) }]
  } catch (error) {
    if (error instanceof UnreadableError) return []
    throw error
  }
}
