import type { Keyring } from '../store/keyring.ts'
import type { ConnectionRow } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type { ConnectionName } from './broker.ts'
import type { Connections } from './connections.ts'
import type { Clock, Log, Random } from './ports.ts'
import type { ProviderHandle, Providers } from './providers.ts'
import type { Refresher } from './refresh.ts'
import type { Revocations } from './revocation.ts'
import { nextRefresh } from './schedule.ts'
import type { Usage } from './usage.ts'

/** How often the index of due connections is looked at; a token's margin is at least as long as that, or half its life. */
const TICK_MS = 1_000
/** How many due connections one look takes. */
const BATCH_MAX = 100

/** Renews connections before their tokens expire, and settles what a crash or an outage left. */
export interface Renewer {
  start(): void
  /** Starts nothing new; resolves when the round in progress is over. */
  stop(): Promise<void>
  /** Why the last look at the store failed; absent = it worked. */
  storeTrouble(): string | undefined
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly revocations: Revocations
  readonly usage: Usage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Creates the renewer; nothing happens before `start`. */
export function createRenewer(ports: Ports): Renewer {
  const { store, revocations, clock, log } = ports
  let round: Promise<void> = Promise.resolve()
  let cancel: (() => void) | undefined
  let stopped = true
  let trouble: string | undefined

  async function tick(first: boolean): Promise<void> {
    try {
      if (first) await renewAll(ports, await store.listInterruptedAttempts(BATCH_MAX))
      await renewAll(ports, await store.listDueConnections(clock.now(), BATCH_MAX))
      await revocations.runDue()
      trouble = undefined
    } catch (error) {
      trouble = 'the store cannot be used'
      log.error('A renewal round failed', { error })
    }
    plan()
  }

  function plan(): void {
    if (stopped) return
    cancel = clock.schedule(TICK_MS, () => {
      round = tick(false)
    })
  }

  return {
    storeTrouble: () => trouble,
    start() {
      if (!stopped) return
      stopped = false
      round = tick(true)
    },
    async stop() {
      stopped = true
      cancel?.()
      await round
    },
  }
}

/** Renews what is due, no more at once per provider than its limit allows. */
async function renewAll(ports: Ports, rows: readonly ConnectionRow[]): Promise<void> {
  const byProvider = Map.groupBy(rows, row => row.provider)
  await Promise.all(
    [...byProvider].map(async ([id, due]) => {
      if (!ports.providers.has(id)) return
      const handle = ports.providers.get(id)
      const queue = due.values()
      const workers = Array.from({ length: handle.provider.limits.concurrency }, async () => {
        for (const name of queue) await renewOne(ports, handle, name)
      })
      await Promise.all(workers)
    }),
  )
}

async function renewOne(ports: Ports, handle: ProviderHandle, name: ConnectionName): Promise<void> {
  // What is in memory is newer than the list.
  const connection = await ports.connections.load(name)
  if (connection?.tokens === undefined) return
  const { row } = connection
  const { refresh } = handle.client.written
  const now = ports.clock.now()
  // What was due by an older use may not be due any more.
  const due = nextRefresh(
    refresh,
    { ...row, lastUsedAt: ports.usage.lastUsed(row), hasRefreshToken: row.sealedRefreshToken !== undefined },
    now,
    0,
  )
  const mustTry = row.attemptId !== undefined || row.lastError !== undefined
  if (!mustTry && (due === undefined || due > now)) {
    const { id, grantEpoch, counter } = row
    const stored = await ports.store.enrichConnection(
      { id, grantEpoch, counter },
      { nextRefreshAt: due ?? null },
    )
    if (stored !== undefined) ports.connections.put(stored)
    return
  }
  await ports.refresher.refresh(connection)
}
