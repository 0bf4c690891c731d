import type { Replay } from '../../providers/definition.ts'
import type { Base, ConnectionRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import type { Clock } from '../ports.ts'

/** Where a second request with the same refresh token is harmless, others may soon take over. */
const LEASE_HARMLESS_MS = 15_000
/** Where it may kill the grant, nobody does before even a long pause of the holder is over. */
const LEASE_MS = 120_000
/** How many times a lease is renewed in its length: two renewals may fail. */
const RENEWALS_PER_LEASE = 3
/**
 * For so long after the store could not be used, no lease that has run out is taken over: its holder could not renew it
 * either, and may have tokens to store, which it tries every 5 s.
 */
const GRACE_MS = 10_000

/** Who holds the leases of a store with one writer. The same over restarts: whoever runs is the only one. */
const ONLY_PROCESS = 'local'

/** Keeps processes that share a store from refreshing the same connection at once. */
export interface Leases {
  readonly owner: string
  /** Milliseconds that a lease lasts without renewal. */
  lengthFor(replay: Replay | undefined): number
  /** Renews the lease of an attempt until the returned function is called. */
  hold(base: Base, attemptId: string, lengthMs: number): () => void
  /** Notes that the store could not be used just now. */
  noteOutage(): void
  /** Whether attempts of other processes whose leases have run out may be taken over. */
  mayTakeOver(): boolean
  /** Whether another process may be at work on the row. */
  isHeldByOther(row: Pick<ConnectionRow, 'leaseOwner' | 'leaseUntil'>): boolean
}

/** @param replica who this process is among those that share the store; absent = it is the only one */
export function createLeases(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  replica: string | undefined,
): Leases {
  const owner = replica ?? ONLY_PROCESS
  // What was before this process nobody has told it.
  let outageAt = clock.monotonic()
  const mayTakeOver = () => replica === undefined || clock.monotonic() - outageAt >= GRACE_MS

  return {
    owner,
    mayTakeOver,
    noteOutage() {
      outageAt = clock.monotonic()
    },
    isHeldByOther: ({ leaseOwner, leaseUntil = 0 }) =>
      leaseOwner !== undefined && leaseOwner !== owner && (leaseUntil > clock.now() || !mayTakeOver()),
    lengthFor: replay => (replay === 'same' || replay === 'window' ? LEASE_HARMLESS_MS : LEASE_MS),
    hold(base, attemptId, lengthMs) {
      if (replica === undefined) return () => {}
      let cancel = () => {}
      const renewLater = () => {
        cancel = clock.schedule(lengthMs / RENEWALS_PER_LEASE, () => {
          // A renewal that fails is made up for by the next; a lease that is lost anyway fences failures only.
          void store.extendLease(base, attemptId, clock.now() + lengthMs).catch(() => {})
          renewLater()
        })
      }
      renewLater()
      return () => cancel()
    },
  }
}
