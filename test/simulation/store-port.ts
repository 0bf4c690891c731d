import { type Store, StoreError } from '../../src/store/store.ts'
import type { Dice } from './dice.ts'
import type { Operations } from './operations.ts'
import type { StoreMode } from './profile.ts'
import type { Process, Scheduler } from './scheduler.ts'

/** What the background repeats all the time costs no time, so that looking often is cheap. */
const LOOKS = new Set([
  'listDueConnections',
  'listDueRevocations',
  'adoptAttempts',
  'clockMark',
  'raiseClockMark',
  'touchConnections',
  'pruneConsents',
])
const READS = /^(find|list|count|has|clockMark)/

/** One use of the store. */
export interface StoreCall {
  readonly process: Process
  readonly method: string
  readonly args: readonly unknown[]
  /** Does it, with other arguments if some are given. */
  readonly proceed: (args?: readonly unknown[]) => Promise<unknown>
}

/** What the stores of a simulation share. */
export interface StorePorts {
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly mode: () => StoreMode
  /** Carries a call out; what is checked before and after it is checked there, and faults are planted there. */
  readonly apply: (call: StoreCall) => Promise<unknown>
  /** Milliseconds that other replicas wait for news at the most. */
  readonly newsMsMax: number
}

/** Creates the view that one process has of the store, with latency and faults. */
export function createStorePort(
  ports: StorePorts,
  process: Process,
  inner: Store,
  { run }: Operations,
): Store {
  const { scheduler, dice, mode, apply } = ports
  const methods = inner as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>

  async function attempt(method: string, args: readonly unknown[]): Promise<unknown> {
    const refused = refusal(mode(), method, dice)
    if (refused !== undefined) {
      if (RECORDED_LATER.test(method)) process.refusedAt = scheduler.now()
      throw refused
    }
    const proceed = async (others: readonly unknown[] = args) => methods[method]?.(...others)
    return apply({ process, method, args, proceed })
  }

  return new Proxy(inner, {
    get(_, method) {
      if (typeof method !== 'string' || method === 'then') return undefined
      if (method === 'close') return async () => {}
      if (method === 'onForeignChange')
        return (listener: Listener) => inner.onForeignChange(about => tell(listener, about))
      if (LOOKS.has(method)) return (...args: unknown[]) => attempt(method, args)
      return (...args: unknown[]) => run(method, () => attempt(method, args))
    },
  })

  function tell(listener: Listener, about: Parameters<Listener>[0]): void {
    const options = { owner: process, label: `${process.name} hears news` }
    scheduler.after(dice.between(0, ports.newsMsMax), () => listener(about), options)
  }
}

type Listener = Parameters<Store['onForeignChange']>[0]

/** What a process goes on trying to tell the store. */
const RECORDED_LATER = /^(failRefresh|markSuspect)$/

function refusal(mode: StoreMode, method: string, dice: Dice): StoreError | undefined {
  if (mode === 'down') return new StoreError('unavailable', 'the database is down')
  if (READS.test(method)) return undefined
  if (mode === 'full') return new StoreError('full', 'the disk is full')
  return mode === 'busy' && dice.chance(0.5) ? new StoreError('busy', 'somebody holds the lock') : undefined
}
