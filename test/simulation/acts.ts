import { Secret } from '../../src/secret.ts'
import { fakeKeyring } from '../broker/fake-keyring.ts'
import { PROVIDER } from './provider.ts'
import type { Replica } from './replica.ts'
import type { Process } from './scheduler.ts'
import { checkDrained } from './sending.ts'
import { type Call, checkError, checkServed } from './serving.ts'
import { EPOCH, NEWS_MS_MAX, type World } from './world.ts'

/** How a call ended; a call whose process died never does. */
export type Ending<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown }

/** What callers and operators do. Each starts something; what comes of it is checked when it comes. */
export interface Acts {
  get(
    replica: Replica,
    account: string,
    over?: { minTtlMs?: number; rejectLast?: boolean },
  ): Promise<Ending<string>>
  refresh(replica: Replica, account: string): Promise<Ending<unknown>>
  disconnect(replica: Replica, account: string): Promise<Ending<unknown>>
  /** A new grant at the server, imported in the place of what is there. */
  connect(replica: Replica, account: string): Promise<Ending<unknown>>
  /**
   * The end that a service manager asks for: calls that are under way are answered, no more are taken, and then what
   * must not be lost is stored. Resolves when the process has ended, unless it has died over it.
   */
  terminate(replica: Replica): Promise<void>
}

/** Creates what can be done in a world. */
export function createActs(world: World): Acts {
  const { scheduler, truth, profile } = world
  // What one has stored another tells the end of by its own clock.
  const skewMsMax = profile.replicas > 1 ? 2 * profile.jumpMsMax : 0
  const lastVersion = new Map<string, string>()
  const draining = new Set<Process>()
  const underWay = new Map<Process, Set<Promise<unknown>>>()

  /**
   * A paused process takes no calls, nor does one that has not read its spool yet; they wait at its door. One that is
   * about to end is sent none.
   */
  function call<T>(
    replica: Replica,
    what: string,
    account: string,
    ask: () => Promise<T>,
  ): Promise<Ending<T>> {
    const { process, started } = replica
    const { promise, resolve } = Promise.withResolvers<Ending<T>>()
    const start = () => {
      if (draining.has(process)) return
      truth.note(`${process.name} ${what} "${account}"`)
      const calls = underWay.get(process) ?? new Set()
      underWay.set(process, calls.add(promise))
      void promise.then(() => calls.delete(promise))
      started.then(ask).then(
        value => resolve({ ok: true, value }),
        error => {
          checkError(truth, { process, account }, what, error)
          resolve({ ok: false, error })
        },
      )
    }
    atDoor(process, start)
    return promise
  }

  function atDoor(process: Process, start: () => void): void {
    if (process.paused) scheduler.after(0, start, { owner: process })
    else if (process.alive) start()
  }

  return {
    get(replica, account, { minTtlMs, rejectLast } = {}) {
      const { process } = replica
      const asked: Call = {
        process,
        account,
        askedAt: scheduler.now(),
        resumedAt: () => (process === replica.process ? replica.resumedAt : 0),
        skewMsMax,
      }
      return call(replica, 'get', account, async () => {
        const token = await replica.broker.getAccessToken({
          provider: PROVIDER,
          account,
          caller: { name: process.name, authentication: 'static_token' },
          requiredScopes: [],
          minTtlMs,
          rejectedVersion: rejectLast ? lastVersion.get(account) : undefined,
        })
        lastVersion.set(account, token.version)
        checkServed(
          truth,
          asked,
          token,
          fakeKeyring.fingerprint(token.accessToken),
          scheduler.now(),
          NEWS_MS_MAX,
        )
        return token.accessToken.expose()
      })
    },
    refresh: (replica, account) =>
      call(replica, 'refresh', account, () => replica.broker.refresh({ provider: PROVIDER, account })),
    disconnect(replica, account) {
      const { process } = replica
      return call(replica, 'disconnect', account, async () => {
        const result = await replica.broker.disconnect({ provider: PROVIDER, account, shared: 'KEEP' })
        truth.note(`${process.name} disconnected "${account}": ${result.revocation}`)
        for (const ended of truth.disconnected.values()) {
          if (ended.process === process) ended.ackedAt ??= scheduler.now()
        }
        return result
      })
    },
    connect(replica, account) {
      return call(replica, 'connect', account, () => {
        const { accessToken, refreshToken } = truth.server.grant(account, scheduler.now())
        truth.note(`server grants ${refreshToken}`)
        replica.importing.add(accessToken)
        const imported = replica.broker.importConnection({
          provider: PROVIDER,
          account,
          credential: { kind: 'access_token', token: new Secret(accessToken) },
          refreshToken: new Secret(refreshToken),
          expiresAt: EPOCH + scheduler.now() + replica.wallOffset + truth.server.habits.lifetime * 1_000,
          scopes: ['a'],
          providerAccountId: '',
          variables: {},
          attributes: {},
          check: 'NONE',
          replace: true,
        })
        return imported.finally(() => replica.importing.delete(accessToken))
      })
    },
    terminate(replica) {
      const { process, broker, started } = replica
      const { promise, resolve } = Promise.withResolvers<void>()
      async function drain(): Promise<void> {
        if (draining.has(process)) return
        truth.note(`${process.name} is to end`)
        draining.add(process)
        await started
        await Promise.all(underWay.get(process) ?? [])
        await broker.stop()
        checkDrained(truth, process)
        truth.note(`${process.name} has ended`)
        await replica.crash()
        resolve()
      }
      atDoor(process, () => void drain())
      return promise
    },
  }
}
