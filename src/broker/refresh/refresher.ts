import { type Connection, isAlive } from '../connection.ts'
import { guard } from '../connections.ts'
import { BrokerError } from '../errors.ts'
import type { Pass, Ticket, Urgency } from '../governor/governor.ts'
import type { Clock } from '../ports.ts'
import { hasMoved, type ProviderHandle } from '../providers.ts'
import { noRefreshToken } from '../tokens/token-errors.ts'
import { type Attempt, fail, settleWithout } from './failure.ts'
import { type RefreshOutcome, type RefreshPorts, reread } from './outcome.ts'
import { refreshError } from './refresh-error.ts'
import { send } from './request.ts'
import { succeed } from './success.ts'

/** Refreshes connections, at most once at a time each. `docs/refresh-protocol.md` tells how and why. */
export interface Refresher {
  /**
   * Refreshes, or joins the refresh in flight. Nothing that a caller does ends it: the request goes on to its
   * hard deadline, and its tokens are stored before anybody is answered.
   *
   * @param urgency who waits; default: a caller
   * @throws BrokerError `BROKER_UNAVAILABLE` if the intent cannot be stored (then nothing was sent)
   */
  refresh(connection: Connection, urgency?: Urgency): Promise<RefreshOutcome>
  /** Whether a refresh of that connection is in flight. */
  isRefreshing(connectionId: string): boolean
  /** How many connections of a provider are being refreshed, or wait for it. */
  inFlight(provider: string): number
  /** Resolves when no refresh is in flight. */
  settled(): Promise<void>
}

interface Running {
  readonly provider: string
  readonly ticket: Ticket
  readonly outcome: Promise<RefreshOutcome>
}

/** Creates the refresher. */
export function createRefresher(ports: RefreshPorts): Refresher {
  const running = new Map<string, Running>()

  function start(connection: Connection, urgency: Urgency): Running {
    const { id, provider, failures } = connection.row
    // Whoever asks: the window in which a used refresh token is taken again is short.
    const { outcomeUnknownSince } = connection.row
    const first = outcomeUnknownSince === undefined ? urgency : 'recovery'
    const ticket = ports.providers.get(provider).governor.enter(first, { retry: failures > 0 })
    const outcome = takeTurn(ports, connection, ticket).finally(() => running.delete(id))
    return { provider, ticket, outcome }
  }

  return {
    async refresh(connection, urgency = 'demand') {
      const { id } = connection.row
      const known = running.get(id)
      known?.ticket.hasten(urgency)
      if (known !== undefined) return known.outcome
      if (ports.pending.has(id)) return waitsToBeStored(connection)
      const started = start(connection, urgency)
      running.set(id, started)
      return started.outcome
    },
    isRefreshing: id => running.has(id),
    inFlight: provider => [...running.values()].filter(one => one.provider === provider).length,
    async settled() {
      while (running.size > 0) await Promise.allSettled([...running.values()].map(({ outcome }) => outcome))
    },
  }
}

/** The refresh token in memory is not stored yet, so it must not be spent. */
function waitsToBeStored(connection: Connection): RefreshOutcome {
  const message = 'renewed tokens of this connection wait to be stored; nothing was lost'
  const error = new BrokerError('BROKER_UNAVAILABLE', message, { retryAfterMs: 1_000 })
  return { ok: false, connection, error }
}

async function takeTurn(
  ports: RefreshPorts,
  connection: Connection,
  { entered }: Ticket,
): Promise<RefreshOutcome> {
  const entry = await entered
  if (!entry.admitted) return refuse(ports, connection, entry)
  const { pass } = entry
  try {
    const current = await latest(ports, connection)
    return current.row.failures > connection.row.failures
      ? refusedElsewhere(ports, current)
      : await attempt(ports, current, pass)
  } finally {
    // Whatever ended the attempt before it told how the provider answered did so before anything was sent.
    pass.unused()
  }
}

/** What became of the connection while it waited. */
async function latest(ports: RefreshPorts, connection: Connection): Promise<Connection> {
  const { row } = connection
  const { connections } = ports
  const known = ports.replica === undefined ? connections.peek(row) : await connections.reread(row)
  const isSame = known?.row.id === row.id && known.row.version === row.version
  return isSame ? known : connection
}

/** While this process waited for its turn, another one has tried, and failed: its result is as good as ours. */
function refusedElsewhere({ providers, clock }: RefreshPorts, connection: Connection): RefreshOutcome {
  const { row } = connection
  const cause = { reason: row.lastError?.reason ?? '', nextRefreshAt: row.nextRefreshAt }
  return { ok: false, connection, error: refreshError(providers.get(row.provider), row, cause, clock.now()) }
}

async function attempt(ports: RefreshPorts, connection: Connection, pass: Pass): Promise<RefreshOutcome> {
  const { store, clock, random, leases } = ports
  const { row } = connection
  if (leases.isHeldByOther(row)) return reread(ports, connection)
  const handle = ports.providers.get(row.provider)
  const found = await handle.client.definition()
  if (found.ok && hasMoved(handle, found.value, row)) {
    return refuse(ports, connection, { admitted: false, why: 'moved' })
  }

  const isOver = nothingLeft(handle, connection, clock)
  // A clock that has jumped is no reason to ask a human for anything.
  if (isOver && ports.wallClock.hasJumped()) return { ok: false, connection, error: noRefreshToken(row) }

  const { id, grantEpoch, counter, failures } = row
  const begun: Attempt = { base: { id, grantEpoch, counter }, attemptId: random.token(16) }
  const [now, planned] = [clock.now(), clock.monotonic()]
  const length = leases.lengthFor(handle.client.written.refresh.replay)
  const start = { ...begun.base, failures, attemptId: begun.attemptId, now }
  const mayGoOn = await guard(
    store.beginAttempt({ ...start, leaseOwner: leases.owner, leaseUntil: now + length }),
  )
  // After a pause that cost the lease, another process may have spent the refresh token.
  const hasLostLease = ports.replica !== undefined && clock.monotonic() >= planned + length
  if (!mayGoOn || hasLostLease) return reread(ports, connection)
  if (isOver) return settleWithout(ports, connection, begun)

  const release = leases.hold(begun.base, begun.attemptId, length)
  try {
    const sentMonotonic = clock.monotonic()
    const answer = await send(ports, handle, connection, found)
    if (answer.ok) {
      pass.succeeded()
      return await succeed(ports, connection, begun.base, answer, sentMonotonic)
    }
    return await fail(ports, connection, begun, answer, pass)
  } finally {
    // As long as the tokens are not stored, nobody else may spend the refresh token that they replace.
    void ports.pending.settled(row.id).finally(release)
  }
}

function refuse(
  { providers, clock }: RefreshPorts,
  connection: Connection,
  refusal: Parameters<typeof refreshError>[2],
): RefreshOutcome {
  const { row } = connection
  return {
    ok: false,
    connection,
    error: refreshError(providers.get(row.provider), row, refusal, clock.now()),
  }
}

function nothingLeft(handle: ProviderHandle, connection: Connection, clock: Clock): boolean {
  if (handle.client.written.refresh.mode !== 'refresh_token') return false
  return connection.tokens?.refreshToken === undefined && !isAlive(connection, clock)
}
