import { setInterval } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { ImportConnectionRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import type { BehaviorPatch } from '../../src/sandbox/behavior.ts'
import type { GrantedTokens } from '../../src/sandbox/control-grants.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { startSandbox } from '../e2e/broker-process.ts'
import { createHome, DIALECT, type Home, type HomeOptions, PROVIDER } from './home.ts'
import type { Program } from './program.ts'
import { until } from './until.ts'

/*
 * How these tests are made. Each has a World: a sandbox in the test's own process, which nothing disturbs, and the
 * configuration and data of one broker, which runs as a process of its own (program.ts) and is killed, stopped,
 * starved or lied to. Connections come by import of grants that the sandbox made, so hundreds are there at once.
 *
 * What was lost is never asked of the broker alone. The sandbox knows which refresh tokens it accepts; what the
 * broker holds is read from a copy of its data folder, as it lay there when the process died (holdings.ts). From
 * both follows for every connection whether it is lost (no stored refresh token is accepted), silent (lost, and the
 * connection says that all is well) or falsely reported (REAUTH_REQUIRED, and a stored one is accepted).
 */

/** A provider, and a place for a broker. */
export interface World {
  readonly sandbox: Sandbox
  readonly origin: string
  readonly home: Home
  /** The living grant of each connected account. */
  readonly grants: ReadonlyMap<string, GrantedTokens>
  /**
   * Connects accounts, in the place of what they were connected with.
   *
   * @param expiresInMs how long their access tokens are said to live; default: as long as what is soon due
   */
  connect(program: Program, accounts: readonly string[], expiresInMs?: number): Promise<void>
  /** Every token that the provider takes at this moment. */
  accepted(kind: 'access' | 'refresh'): ReadonlySet<string>
  /** Refresh requests that the provider works on now. */
  inFlight(): number
  refreshRequests(): number
  /** Resolves when the provider works on nothing any more, whoever has hung up. */
  drained(): Promise<void>
  /** From now on the provider takes a random time up to these before and after it acts, in milliseconds. */
  dawdle(beforeMsMax: number, afterMsMax: number): void
}

export interface WorldOptions extends HomeOptions {
  /** Lifetimes and the like, beside what `replay` and `windowMs` say. */
  readonly behavior?: BehaviorPatch
}

/** How many delays wait for a request at the most, and at the least between two looks. */
const DELAYS = 400
const DELAYS_LOOK_MS = 50
/** The longest delay that any test asks for is a minute. */
const DRAIN_MS_MAX = 90_000
const IMPORTS_AT_ONCE = 20
const SOON_MS = 1_000

export async function createWorld({ behavior, ...options }: WorldOptions): Promise<World> {
  const { replay, windowMs } = options
  const window = windowMs === undefined ? {} : { windowMs, windowSuccessor: 'newest' as const }
  const { sandbox, origin } = await startSandbox({
    autoApprove: true,
    behavior: { [DIALECT]: { replay, ...window, ...behavior } },
  })
  const home = await createHome(origin, options)
  const grants = new Map<string, GrantedTokens>()
  const { control } = sandbox
  const accepted = (kind: 'access' | 'refresh') => {
    const tokens = control.listTokens({ dialect: DIALECT })
    return new Set(tokens.filter(token => token.kind === kind && token.live).map(({ value }) => value))
  }
  const inFlight = () => control.listRequests({ operation: 'refresh' }).filter(isOpen).length

  async function connectOne(program: Program, account: string, expiresInMs: number) {
    const grant = control.createGrant({ dialect: DIALECT, scopes: ['read'] })
    const request = ImportConnectionRequest.fromPartial({
      provider: PROVIDER,
      account,
      credential: { $case: 'accessToken', value: grant.accessToken },
      refreshToken: grant.refreshToken ?? '',
      expireTime: new Date(Date.now() + expiresInMs),
      replace: true,
    })
    await program.call(program.admin, program.admin.importConnection, request)
    grants.set(account, grant)
  }

  return {
    sandbox,
    origin,
    home,
    grants,
    async connect(program, accounts, expiresInMs = SOON_MS) {
      for (let at = 0; at < accounts.length; at += IMPORTS_AT_ONCE) {
        const some = accounts.slice(at, at + IMPORTS_AT_ONCE)
        await Promise.all(some.map(account => connectOne(program, account, expiresInMs)))
      }
    },
    accepted,
    inFlight,
    refreshRequests: () => control.countRequests({ operation: 'refresh' }),
    drained: async () => void (await until('the provider is idle', DRAIN_MS_MAX, () => inFlight() === 0)),
    dawdle: (beforeMsMax, afterMsMax) => void keepSlow(sandbox, beforeMsMax, afterMsMax),
  }
}

function isOpen({ outcome }: { readonly outcome: unknown }): boolean {
  return outcome === null
}

/** Each request takes one delay away, so they are filled up. */
async function keepSlow({ control }: Sandbox, beforeMsMax: number, afterMsMax: number): Promise<void> {
  const ended = new AbortController()
  onTestFinished(() => ended.abort())
  const fill = () => {
    for (let waiting = control.listFaults().length; waiting < DELAYS; waiting++) {
      const delayBeforeMs = Math.floor(Math.random() * beforeMsMax)
      const delayAfterMs = Math.floor(Math.random() * afterMsMax)
      control.addFault({ operation: 'refresh', times: 1, delayBeforeMs, delayAfterMs })
    }
  }
  fill()
  for await (const _ of setInterval(DELAYS_LOOK_MS)) {
    if (ended.signal.aborted) return
    fill()
  }
}

/** `account-0` and so on. */
export function accountNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `account-${index}`)
}
