import { createHash } from 'node:crypto'
import type { AccessToken, ConnectionName, TokenState, TokenWatch } from '../broker.ts'
import { keyOf } from '../connection.ts'
import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { TokenView } from '../tokens/view.ts'
import { createMarks, type Marks, type Splay } from './marks.ts'
import type { Upkeep } from './upkeep.ts'

/** What failed because of the broker itself is looked at again after that: nobody tells when it works again. */
const RETRY_MS = 5_000

/** What watching tokens needs. */
export interface TokenWatchPorts {
  readonly clock: Clock
  readonly splay: Splay
  readonly upkeep: Upkeep
  /** Looks at a connection; see `viewToken`. */
  readonly view: (name: ConnectionName) => Promise<TokenView>
}

/** One connection on one stream. */
interface Watch {
  readonly name: ConnectionName
  /** What was sent last; empty before the first state. */
  sent: string
  /** Whether a refresh is awaited. */
  waiting: boolean
  /** Whether it will be looked at again because the broker failed. */
  retrying: boolean
  /** Why the refresh that was awaited brought nothing; used once. */
  trouble?: unknown
}

/**
 * Yields the state of each connection at once, then in full whenever it is another one. A state is made when the
 * reader comes for it, so a slow reader gets the newest and nothing is kept for it. What needs a refresh first
 * comes when that has ended, and holds up nothing else.
 *
 * @throws what `authorize` throws; everything else that goes wrong is a state
 */
export async function* watchAccessTokens(
  ports: TokenWatchPorts,
  request: TokenWatch,
): AsyncGenerator<TokenState, void, undefined> {
  const marks = createMarks<Watch>(ports.splay, ports.clock, request.signal)
  const watches = new Map<string, Watch>(
    request.connections.map(name => [keyOf(name), { name, sent: '', waiting: false, retrying: false }]),
  )
  const ends: (() => void)[] = []
  try {
    for (const [key, watch] of watches) {
      marks.addPromptly(key, watch)
      ends.push(ports.upkeep.watch(watch.name, () => marks.add(key, watch)))
    }
    while (await marks.ready()) {
      const watch = marks.take()
      const state = watch && (await nextState(ports, request, watch, marks))
      if (state !== undefined && !request.signal.aborted) yield state
    }
  } finally {
    for (const end of ends) end()
  }
}

/** The state to send, or undefined if it is the one that was sent last or is not known yet. */
async function nextState(
  ports: TokenWatchPorts,
  request: TokenWatch,
  watch: Watch,
  marks: Marks<Watch>,
): Promise<TokenState | undefined> {
  const { name } = watch
  const { trouble } = watch
  watch.trouble = undefined
  request.authorize(name)
  try {
    const view = await ports.view(name)
    if (view.kind === 'wait') {
      if (trouble !== undefined) throw trouble
      awaitRefresh(view, watch, marks, request.signal)
      return undefined
    }
    const { token } = view
    const sent = digest(token)
    if (sent === watch.sent) return undefined
    await view.release(request.caller)
    // It changed while its release was recorded: the newest is made when this mark is taken.
    if (marks.has(keyOf(name))) return undefined
    watch.sent = sent
    return { connection: name, token }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return errorState(ports, watch, error, marks)
  }
}

function awaitRefresh(
  view: Extract<TokenView, { readonly kind: 'wait' }>,
  watch: Watch,
  marks: Marks<Watch>,
  signal: AbortSignal,
): void {
  if (watch.waiting) return
  watch.waiting = true
  const settle = (trouble?: unknown) => {
    watch.waiting = false
    watch.trouble = trouble
    // Many streams may have waited for the same refresh; only a first state is owed at once.
    if (watch.sent === '') marks.addPromptly(keyOf(watch.name), watch)
    else marks.add(keyOf(watch.name), watch)
  }
  view.wait(signal).then(() => settle(), settle)
}

function errorState(
  { clock }: TokenWatchPorts,
  watch: Watch,
  error: BrokerError,
  marks: Marks<Watch>,
): TokenState | undefined {
  const { name } = watch
  if (error.reason === 'BROKER_UNAVAILABLE' && !watch.retrying) {
    watch.retrying = true
    clock.schedule(RETRY_MS, () => {
      watch.retrying = false
      marks.add(keyOf(name), watch)
    })
  }
  const sent = `${error.reason} ${error.message}`
  if (sent === watch.sent) return undefined
  watch.sent = sent
  return { connection: name, error }
}

/** Tells two answers apart without keeping either; the version stands for the secret. */
function digest(token: AccessToken): string {
  return createHash('sha256').update(JSON.stringify(token)).digest('base64')
}
