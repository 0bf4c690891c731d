import { UnreadableError } from '../../store/keyring.ts'
import type { Spool } from '../../store/spool.ts'
import type { Connection } from '../connection.ts'
import { type SettlePorts, serveUnstored, settleCommit, type Unstored } from './settle-commit.ts'

/** How soon a commit that failed is tried again; doubles up to the longest. */
const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 5_000

/** Where issued tokens are now: stored; in the spool until they can be; or no longer the connection's own. */
export type Placed =
  | { readonly where: 'store'; readonly connection: Connection }
  | { readonly where: 'spool' }
  | { readonly where: 'elsewhere' }

/** Tokens that the provider issued and the store could not take. None is given up. */
export interface PendingCommits {
  /** Stores tokens, or spools them and goes on trying. Resolves when they would survive a crash. */
  store(unstored: Unstored): Promise<Placed>
  /** Whether tokens of that connection wait to be stored. */
  has(connectionId: string): boolean
  /** Resolves when none of that connection's tokens wait any more. */
  settled(connectionId: string): Promise<void>
  /** How many wait. */
  size(): number
  /** At start, before anything else: goes on with what the last run left in the spool. */
  recover(): Promise<void>
  /** Starts no further try; resolves when everything that waits is at least in the spool. */
  stop(): Promise<void>
}

/** Creates the pending commits over one spool. */
export function createPendingCommits(ports: SettlePorts & { readonly spool: Spool }): PendingCommits {
  const { spool, clock, log } = ports
  const waiting = new Map<string, Promise<void>>()
  const unspooled = new Set<Promise<void>>()
  let stopped = false

  /** Tries until it succeeds, or until the broker stops and the spool has it. */
  async function insist(
    unstored: Unstored,
    isSpooled: () => boolean,
    step: () => Promise<unknown>,
  ): Promise<boolean> {
    const { provider, account } = unstored.commit
    for (let delay = RETRY_MIN_MS; !(stopped && isSpooled()); delay = Math.min(2 * delay, RETRY_MAX_MS)) {
      await new Promise<void>(resolve => clock.schedule(delay, resolve))
      try {
        await step()
        return true
      } catch (error) {
        // No further try of this run would open it; the next one may have the key.
        if (error instanceof UnreadableError) {
          log.error('Renewed tokens do not open, and stay in the spool', { provider, account, error })
          return false
        }
        log.error('Could not store renewed tokens yet', { provider, account, error })
      }
    }
    return false
  }

  /**
   * Once they are stored only their record is left, for which nobody waits. It is not stored again: that could undo
   * what came after.
   */
  function wait(unstored: Unstored, isSpooled: () => boolean): Promise<void> {
    const { id } = unstored.commit.base
    // What is stored may change while they wait.
    const later = { ...unstored, row: undefined }
    const done = insist(unstored, isSpooled, () => settleCommit(ports, later)).then(isStored => {
      waiting.delete(id)
      if (isStored) void insist(unstored, isSpooled, () => spool.remove(unstored.commit.base))
    })
    waiting.set(id, done)
    return done
  }

  async function spoolOrWait(unstored: Unstored): Promise<void> {
    let spooled = false
    const stored = wait(unstored, () => spooled)
    unspooled.add(stored)
    const { provider, account } = unstored.commit
    try {
      await spool.append(unstored.commit)
      spooled = true
      log.error('The store cannot take renewed tokens; they wait in the spool', { provider, account })
    } catch (error) {
      log.error('Neither store nor spool can take renewed tokens; they wait in memory', {
        provider,
        account,
        error,
      })
      await stored
    } finally {
      unspooled.delete(stored)
    }
  }

  return {
    has: id => waiting.has(id),
    settled: async id => waiting.get(id),
    size: () => waiting.size,
    async store(unstored) {
      try {
        const connection = await settleCommit(ports, unstored)
        return connection === undefined ? { where: 'elsewhere' } : { where: 'store', connection }
      } catch (error) {
        const { provider, account } = unstored.commit
        log.error('Could not store renewed tokens', { provider, account, error })
        await spoolOrWait(unstored)
        return { where: 'spool' }
      }
    },
    async recover() {
      const { commits, damaged } = await spool.list()
      if (damaged > 0) {
        log.error('Records of the spool are damaged; their connections are tried with what is stored', {
          damaged,
        })
      }
      for (const commit of commits) {
        try {
          await settleCommit(ports, { commit })
          await spool.remove(commit.base)
        } catch (error) {
          const { provider, account } = commit
          log.error('Could not store spooled tokens yet', { provider, account, error })
          void wait({ commit }, () => true)
          const row = await ports.store.findConnection(provider, account).catch(() => undefined)
          if (row === undefined) continue
          ports.connections.put(row)
          serveUnstored(ports.connections, { commit })
        }
      }
    },
    async stop() {
      stopped = true
      await Promise.all(unspooled)
    },
  }
}
