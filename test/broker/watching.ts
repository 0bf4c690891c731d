import type { AccessToken, ConnectionName, TokenState, TokenWatch } from '../../src/broker/broker.ts'
import { createChanges } from '../../src/broker/changes.ts'
import { type Connection, keyOf } from '../../src/broker/connection.ts'
import { BrokerError, type Reason } from '../../src/broker/errors.ts'
import type { TokenAtHand, TokenView } from '../../src/broker/tokens/view.ts'
import { createSplay } from '../../src/broker/watch/marks.ts'
import { watchAccessTokens } from '../../src/broker/watch/tokens.ts'
import { createUpkeep } from '../../src/broker/watch/upkeep.ts'
import { Secret } from '../../src/secret.ts'
import { createFakeClock, settle } from './fake-clock.ts'

export const ACME: ConnectionName = { provider: 'acme', account: '' }
export const ZETA: ConnectionName = { provider: 'acme', account: 'zeta' }

/** A token that a watcher tells from another by its version. */
function tokenOf(version: string): AccessToken {
  return {
    accessToken: new Secret(`secret of ${version}`),
    tokenType: 'Bearer',
    version,
    expiry: 'NEVER',
    scopes: [],
    source: 'OAUTH',
    providerAccountId: '',
    providerAccountName: '',
    presentation: { headerName: 'Authorization', valuePrefix: 'Bearer ', headers: {}, baseUrl: '' },
    attributes: {},
  }
}

export function failure(reason: Reason): BrokerError {
  return new BrokerError(reason, `failed with ${reason}`)
}

/** What a reader has seen, in short: `zeta v2`, ` CONSENT_REQUIRED`. */
export function brief(states: readonly TokenState[]): string[] {
  return states.map(
    state => `${state.connection.account} ${'token' in state ? state.token.version : state.error.reason}`,
  )
}

/** Everything around a watch of tokens but the tokens: those are what a test says. */
export function createWatching() {
  const clock = createFakeClock()
  const changes = createChanges()
  const touched: Connection[] = []
  const released: string[] = []
  const views = new Map<string, () => TokenView>()
  const counts = { views: 0 }
  const splay = createSplay(clock, createEvenRandom())
  const view = async (name: ConnectionName) => {
    counts.views++
    return (views.get(keyOf(name)) ?? missing)()
  }
  const touch = (connection: Connection) => void touched.push(connection)
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const upkeep = createUpkeep({ changes, clock, log, view, touch })

  /** Sets what a look at a connection finds, and tells of it unless it comes about by itself. */
  function set(name: ConnectionName, look: () => TokenView, { silently = false } = {}): void {
    views.set(keyOf(name), look)
    if (!silently) changes.publish(name)
  }

  function atHand(version: string, over: Partial<TokenAtHand> = {}): TokenView {
    return {
      kind: 'token',
      token: tokenOf(version),
      release: async () => void released.push(version),
      ...over,
    }
  }

  function open(connections: readonly ConnectionName[], over: Partial<TokenWatch> = {}) {
    const ending = new AbortController()
    const stream = watchAccessTokens(
      { clock, splay, upkeep, view },
      {
        connections,
        caller: { name: 'tester', authentication: 'static_token' },
        authorize: () => {},
        signal: ending.signal,
        ...over,
      },
    )
    return { stream, end: () => ending.abort() }
  }

  /** Opens a watch that is read as fast as it comes. */
  function read(...parameters: Parameters<typeof open>) {
    const { stream, end } = open(...parameters)
    const seen: TokenState[] = []
    const ended = (async () => {
      for await (const state of stream) seen.push(state)
    })()
    // Each test looks at its end, or does not care.
    ended.catch(() => {})
    return { seen, ended, end }
  }

  return { clock, changes, touched, released, counts, upkeep, set, atHand, open, read, settle }
}

/** Fractions that fill [0, 1) evenly, the same in each run. */
export function createEvenRandom(): { fraction(): number } {
  let drawn = 0
  return { fraction: () => (++drawn * 0.618_033_988_7) % 1 }
}

function missing(): never {
  throw failure('CONSENT_REQUIRED')
}
