import { setImmediate as nextTurn } from 'node:timers/promises'
import { Agent, type Dispatcher } from 'undici'
import { isLoopback } from '../loopback.ts'
import { Secret } from '../secret.ts'
import { collect } from './collect.ts'
import {
  CONNECT_TIMEOUT_MS,
  HARD_TIMEOUT_MS,
  type Http,
  HttpError,
  type HttpOptions,
  type HttpRequest,
  type HttpResponse,
} from './http.ts'
import { createGuard, type Guard, type Resolve } from './reach.ts'

/** A timer that fires this much late says that the process was paused, not that the provider is slow. */
const PAUSE_MS = 250
/** Turns of the event loop in which an answer that waits in the socket is read; more after a pause. */
const TURNS = 2
const TURNS_AFTER_PAUSE = 20

/** What {@link createHttp} may be told otherwise; tests do. */
export interface HttpSettings {
  readonly connectTimeoutMs?: number
  readonly hardTimeoutMs?: number
  /** What the hard timeout is measured by. Default: the process's own. */
  readonly clock?: Stopwatch
  /** Default: the system's resolver. */
  readonly resolve?: Resolve
}

/** Milliseconds that only go forward, and what calls back after some; the returned function cancels that. */
export interface Stopwatch {
  monotonic(): number
  schedule(ms: number, callback: () => void): () => void
}

const processClock: Stopwatch = {
  monotonic: () => performance.now(),
  schedule(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** Creates the one HTTP client of the process, on undici. */
export function createHttp(settings: HttpSettings = {}): Http {
  const connectTimeoutMs = settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
  const hardTimeoutMs = settings.hardTimeoutMs ?? HARD_TIMEOUT_MS
  const clock = settings.clock ?? processClock
  const agents = new Map<string, Agent>()

  function agentFor(url: URL, { ca, reach }: HttpOptions): Agent {
    const guard = createGuard(url, reach, settings.resolve)
    const key = JSON.stringify([ca, guard.key])
    const agent = agents.get(key) ?? createAgent(ca, guard, connectTimeoutMs)
    agents.set(key, agent)
    return agent
  }

  return {
    async send(request, options = {}) {
      const url = new URL(request.url.expose())
      requireTls(url)
      return exchange(agentFor(url, options), url, request, hardTimeoutMs, clock)
    },
    close: async () => {
      await Promise.all([...agents.values()].map(agent => agent.close()))
    },
  }
}

function createAgent(ca: string | undefined, { lookup }: Guard, connectTimeoutMs: number): Agent {
  return new Agent({
    connect: { timeout: connectTimeoutMs, lookup, ...(ca === undefined ? {} : { ca }) },
    // The hard timeout below is the only deadline: undici's own would throw away a late answer.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

async function exchange(
  agent: Agent,
  url: URL,
  request: HttpRequest,
  hardTimeoutMs: number,
  clock: Stopwatch,
): Promise<HttpResponse> {
  const answer = collect(url.host)
  const startedAt = clock.monotonic()
  const cancel = clock.schedule(hardTimeoutMs, () => void giveUp())

  /** After a pause the answer may already wait in the socket: timers run before the poll phase reads it. */
  async function giveUp(): Promise<void> {
    const late = clock.monotonic() - startedAt - hardTimeoutMs > PAUSE_MS
    for (let turn = 0; turn < (late ? TURNS_AFTER_PAUSE : TURNS); turn++) await nextTurn()
    answer.abort(`no complete answer within ${hardTimeoutMs / 1000} s`)
  }

  try {
    agent.dispatch(dispatchOptions(url, request), answer.handler)
    return await answer.done
  } finally {
    cancel()
  }
}

function requireTls(url: URL): void {
  if (url.protocol === 'https:') return
  if (url.protocol === 'http:' && isLoopback(url.hostname)) return
  throw new HttpError('not_sent', `refused to send to ${url.host} without TLS`)
}

function dispatchOptions(url: URL, request: HttpRequest): Dispatcher.DispatchOptions {
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    value instanceof Secret ? value.expose() : value,
  ])
  return {
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: Object.fromEntries(headers),
    body: request.body?.expose() ?? null,
    // A fresh connection each time: a request on a connection that the server is just closing would fail
    // with an unknown outcome, and a token request is rare enough to pay for its handshake.
    reset: true,
  }
}
