import type { ConnectionName, ConnectionStatus, ConnectionWatch } from '../broker.ts'
import type { Changes } from '../changes.ts'
import { keyOf } from '../connection.ts'
import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { createMarks, type Marks, type Splay } from './marks.ts'
import { createRecentStates } from './recent.ts'

/** Connections are read from the store that many at a time. */
const PAGE_SIZE = 500
/** Changes that may wait for a slow reader, about 200 bytes each; more, and it has to begin anew. */
const WAITING_MAX = 50_000
/** How often is looked whether a provider has begun or ceased to refuse our client, which no connection tells. */
const PROVIDERS_INTERVAL_MS = 5_000

/** What watching connections needs. */
export interface ConnectionWatchPorts {
  readonly changes: Changes
  readonly clock: Clock
  readonly splay: Splay
  /** One page of states, ordered by provider and account. */
  readonly list: (query: {
    readonly provider?: string
    readonly after?: ConnectionName
    readonly limit: number
  }) => Promise<readonly ConnectionStatus[]>
  readonly status: (name: ConnectionName) => Promise<ConnectionStatus>
  /** The providers that refuse our client now. */
  readonly refusing: () => ReadonlySet<string>
}

/** What a stream has still to send: one connection, or all (of one provider). */
type Mark = { readonly name: ConnectionName } | { readonly provider: string | undefined }

/**
 * Yields the state of every visible connection at once, then each that is another one. A connection that is gone
 * is NOT_CONNECTED. A state may be repeated.
 *
 * @throws BrokerError `BROKER_UNAVAILABLE` if the store cannot be read, or the reader is too slow to be told of
 *   each connection; what `visible` throws
 */
export async function* watchConnections(
  ports: ConnectionWatchPorts,
  request: ConnectionWatch,
): AsyncGenerator<ConnectionStatus, void, undefined> {
  const { signal, provider } = request
  const marks = createMarks<Mark>(ports.splay, ports.clock, signal)
  const recent = createRecentStates(ports.clock, name => marks.add(keyOf(name), { name }))
  const ends = [listen(ports, request, marks), watchProviders(ports, request, marks), recent.close]
  try {
    marks.addPromptly(LIST, { provider })
    while (await marks.ready()) {
      if (marks.size() > WAITING_MAX) throw tooSlow()
      const mark = marks.take()
      if (mark === undefined) continue
      for await (const status of statesOf(ports, request, mark)) {
        if (signal.aborted) return
        if (recent.isNews(status)) yield status
      }
    }
  } finally {
    for (const end of ends) end()
  }
}

/** No key of a connection: those have a line break. */
const LIST = 'list'

function listen(ports: ConnectionWatchPorts, request: ConnectionWatch, marks: Marks<Mark>): () => void {
  return ports.changes.watchAll(name => {
    const matches = request.provider === undefined || request.provider === name.provider
    // What is one too many ends the stream when it is read next; nothing after it is kept.
    if (matches && marks.size() <= WAITING_MAX) marks.add(keyOf(name), { name })
  })
}

/** Marks the connections of a provider whose refusal of our client began or ended. */
function watchProviders(
  { clock, refusing }: ConnectionWatchPorts,
  request: ConnectionWatch,
  marks: Marks<Mark>,
): () => void {
  let known = refusing()
  let cancel = clock.schedule(PROVIDERS_INTERVAL_MS, look)

  function look(): void {
    const now = refusing()
    for (const provider of new Set([...known, ...now])) {
      const flipped = known.has(provider) !== now.has(provider)
      const matches = request.provider === undefined || request.provider === provider
      if (flipped && matches) marks.add(`${LIST} ${provider}`, { provider })
    }
    known = now
    cancel = clock.schedule(PROVIDERS_INTERVAL_MS, look)
  }

  return () => cancel()
}

async function* statesOf(
  ports: ConnectionWatchPorts,
  { visible }: ConnectionWatch,
  mark: Mark,
): AsyncGenerator<ConnectionStatus> {
  if ('name' in mark) {
    if (visible(mark.name)) yield await ports.status(mark.name)
    return
  }
  let after: ConnectionName | undefined
  do {
    const page = await ports.list({ provider: mark.provider, after, limit: PAGE_SIZE })
    for (const status of page) if (visible(status)) yield status
    after = page.length < PAGE_SIZE ? undefined : page.at(-1)
  } while (after !== undefined)
}

function tooSlow(): BrokerError {
  const message = `more than ${WAITING_MAX} changes wait for this reader; watch again for a new start`
  return new BrokerError('BROKER_UNAVAILABLE', message, { retryAfterMs: 1_000 })
}
