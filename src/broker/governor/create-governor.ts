import type { Clock } from '../ports.ts'
import { createBlock } from './block.ts'
import { createBreaker } from './breaker.ts'
import { createClientGate } from './client-gate.ts'
import type { Asked, Claim, Gate } from './gate.ts'
import type { EnterOptions, Entry, Governor, Pass, Refusal, Ticket, Urgency } from './governor.ts'
import { type Outcome, outcomeOf, recognises } from './outcome.ts'
import { createRamp, createRate, createRetryBudget } from './pace.ts'
import { createQueue, type Waiter } from './queue.ts'
import { createRefusals } from './refusals.ts'

/** More than would get their turn before they give up. */
const WAITING_MAX = 10_000
/** Nobody is asked to come back sooner than that. */
const RETRY_AFTER_MIN_MS = 1_000

/** Creates the governor of a provider that has not been asked yet. */
export function createGovernor(
  limits: { readonly concurrency: number; readonly perSecond: number },
  clock: Clock,
): Governor {
  const block = createBlock(clock)
  const client = createClientGate(clock)
  const breaker = createBreaker(clock)
  const refusals = createRefusals(clock)
  const gates: readonly Gate[] = [block, client, breaker, refusals]
  const queue = createQueue()
  const rate = createRate(limits.perSecond, clock)
  const ramp = createRamp(limits.concurrency, clock)
  const budget = createRetryBudget(clock)
  const counts = createCounts(clock)
  let cancelPump = () => {}

  /** Lets in whom the limits allow, and comes back when they allow the next. */
  function pump(): void {
    cancelPump()
    while (queue.size() > 0 && counts.inFlight() < ramp.width()) {
      const next = queue.next(waiter => !isPaid(waiter) || budget.waitMs() === 0)
      const waitMs = next === undefined ? budget.waitMs() : rate.waitMs()
      if (next === undefined || waitMs > 0) {
        // Whole milliseconds, so that what is left of one is no reason to come back for.
        cancelPump = clock.schedule(Math.ceil(waitMs), pump)
        return
      }
      letIn(next)
    }
  }

  function letIn(waiter: Waiter): void {
    queue.remove(waiter)
    rate.take()
    const paid = isPaid(waiter)
    if (paid) budget.take()
    for (const claim of waiter.claims.values()) claim.sent()
    counts.began()
    waiter.resolve({ admitted: true, pass: createPass(waiter, paid) })
  }

  function createPass({ purpose, claims }: Waiter, paid: boolean): Pass {
    let ended = false
    function end(outcome?: Outcome): void {
      if (ended) return
      ended = true
      counts.ended()
      // The budget is there to spare a provider that fails, not to hold up the recovery from it.
      if (paid && outcome?.kind === 'succeeded') budget.giveBack()
      if (outcome !== undefined && purpose === 'grant') learn(outcome)
      // Whatever was asked: the provider is not down any more.
      else if (outcome !== undefined && outcome.kind !== 'silent' && claims.has(breaker))
        breaker.learn(outcome)
      pump()
    }
    return {
      succeeded: () => end({ kind: 'succeeded' }),
      failed: (failure, options) => end(outcomeOf(failure, options?.explained)),
      unused() {
        if (ended) return
        if (paid) budget.giveBack()
        for (const claim of claims.values()) claim.giveBack()
        end()
      },
    }
  }

  function learn(outcome: Outcome): void {
    counts.learn(outcome)
    for (const gate of gates) gate.learn(outcome)
    if (recognises(outcome)) ramp.grow()
    if (!gates.some(gate => gate.isClosed(RENEWAL))) return
    ramp.reset()
    // Who waits would wait for nothing.
    for (const waiter of queue.all()) {
      const gate = gates.find(closed => closed.isClosed(waiter) && !waiter.claims.get(closed)?.isValid())
      if (gate !== undefined) turnAway(waiter, refusalBy(gate, waiter))
    }
  }

  function turnAway(waiter: Waiter, refusal: Refusal): void {
    queue.remove(waiter)
    for (const claim of waiter.claims.values()) claim.giveBack()
    waiter.resolve(refusal)
  }

  /** The gate that lets nothing of that kind through now, not even as a probe. */
  function closedGate(asked: Asked): Gate | undefined {
    const mayProbe = (gate: Gate) => gate.probe?.waitMs(asked) === 0
    return gates.find(gate => gate.isClosed(asked) && !mayProbe(gate))
  }

  function enter(urgency: Urgency, options: EnterOptions = {}): Ticket {
    const { purpose = 'grant', retry = false, patienceMs } = options
    const gate = closedGate({ urgency, purpose })
    if (gate !== undefined) return turnedAway(refusalBy(gate, { urgency, purpose }))
    if (queue.size() >= WAITING_MAX) return turnedAway(BUSY)

    const { promise: entered, resolve } = Promise.withResolvers<Entry>()
    let left = () => {}
    const claims = new Map<Gate, Claim>()
    const waiter: Waiter = { urgency, purpose, retry, claims, resolve, left: () => left() }
    for (const closed of gates.filter(other => other.isClosed(waiter))) {
      if (closed.probe !== undefined) claims.set(closed, closed.probe.claim(waiter))
    }
    queue.add(waiter)
    if (patienceMs !== undefined) left = clock.schedule(patienceMs, () => turnAway(waiter, BUSY))
    pump()
    return {
      entered,
      hasten(more) {
        queue.hasten(waiter, more)
        pump()
      },
    }
  }

  return {
    enter,
    dismiss() {
      for (const waiter of queue.all()) turnAway(waiter, BUSY)
    },
    holdsVerdicts: () => refusals.since() !== undefined,
    room(urgency = 'renewal') {
      if (closedGate(RENEWAL) !== undefined) return 0
      const ahead = urgency === 'recovery' ? queue.size('recovery') : counts.inFlight() + queue.size()
      const free = Math.max(0, ramp.width() - ahead)
      return gates.some(gate => gate.isClosed(RENEWAL)) ? 1 : free
    },
    snapshot: () => ({
      ...counts.snapshot(),
      waiting: queue.size(),
      misconfiguredSince: client.since(),
      blockedUntil: block.until(),
      breaker: breaker.since() === undefined ? 'closed' : 'open',
      openSince: breaker.since(),
      retryBudget: budget.left(),
      holdingVerdictsSince: refusals.since(),
    }),
  }
}

/** What every closed gate holds back. */
const RENEWAL: Asked = { urgency: 'renewal', purpose: 'grant' }
const BUSY: Refusal = { admitted: false, why: 'busy', retryAfterMs: RETRY_AFTER_MIN_MS }

function refusalBy(gate: Gate, asked: Asked): Refusal {
  return { admitted: false, why: gate.why, retryAfterMs: Math.max(RETRY_AFTER_MIN_MS, gate.waitMs(asked)) }
}

function turnedAway(refusal: Refusal): Ticket {
  return { entered: Promise.resolve(refusal), hasten() {} }
}

/** Whether its turn comes from the retry budget; what may have happened is found out whatever the budget. */
function isPaid({ retry, urgency }: Waiter): boolean {
  return retry && urgency !== 'recovery'
}

/** Counts what is in flight and how it went. */
function createCounts(clock: Clock) {
  let inFlight = 0
  let consecutiveFailures = 0
  let lastSuccessAt: number | undefined
  let lastFailureAt: number | undefined

  return {
    inFlight: () => inFlight,
    began: () => void inFlight++,
    ended: () => void inFlight--,
    learn(outcome: Outcome) {
      if (outcome.kind === 'succeeded') lastSuccessAt = clock.now()
      else lastFailureAt = clock.now()
      // A verdict about one grant says that the provider works.
      consecutiveFailures = recognises(outcome) ? 0 : consecutiveFailures + 1
    },
    snapshot: () => ({ inFlight, consecutiveFailures, lastSuccessAt, lastFailureAt }),
  }
}
