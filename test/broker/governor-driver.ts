import { createGovernor } from '../../src/broker/governor/create-governor.ts'
import type { EnterOptions, Entry, Pass, Ticket, Urgency } from '../../src/broker/governor/governor.ts'
import type { Failure } from '../../src/oauth/failure.ts'
import { createFakeClock, settle } from './fake-clock.ts'

function failureOf(over: Partial<Failure>): Failure {
  return { class: 'retry', outcomeUnknown: false, providerCode: '', message: 'failed', ...over }
}

/** What providers answer, or do not. */
export const failures = {
  unreached: failureOf({ class: 'not_sent' }),
  unknown: failureOf({ outcomeUnknown: true }),
  odd: failureOf({}),
  ambiguous: failureOf({ class: 'ambiguous' }),
  limited: failureOf({ class: 'rate_limited' }),
  limitedFor: (retryAfterMs: number) => failureOf({ class: 'rate_limited', retryAfterMs }),
  client: failureOf({ class: 'client' }),
  unsupported: failureOf({ class: 'unsupported' }),
  refused: failureOf({ class: 'reauthorize' }),
  parameters: failureOf({ class: 'connection' }),
} as const

/** Limits that are in nobody's way. */
export const WIDE = { concurrency: 1_000, perSecond: 10_000 }

/** A governor on a fake clock, and what a test does with it most. */
export function createDriver(limits = WIDE) {
  const clock = createFakeClock()
  const governor = createGovernor(limits, clock)

  /** What has become of a ticket by now. */
  async function now(ticket: Ticket): Promise<Entry | undefined> {
    let entry: Entry | undefined
    void ticket.entered.then(value => {
      entry = value
    })
    await settle()
    return entry
  }

  /** A pass, which must be had at once. */
  async function pass(urgency: Urgency = 'demand', options?: EnterOptions): Promise<Pass> {
    const entry = await now(governor.enter(urgency, options))
    if (entry?.admitted) return entry.pass
    throw new Error(`not let in: ${entry?.why ?? 'waits'}`)
  }

  /** Why nobody is let in at once; `undefined` if somebody is, who then sends nothing. */
  async function refusal(urgency: Urgency = 'demand', options?: EnterOptions) {
    const entry = await now(governor.enter(urgency, options))
    if (entry === undefined) throw new Error('waits')
    if (entry.admitted) entry.pass.unused()
    return entry.admitted ? undefined : entry
  }

  /** Requests, one after the other, that end so. */
  async function send(count: number, outcome: Failure | 'ok', urgency: Urgency = 'demand') {
    for (let turn = 0; turn < count; turn++) {
      const held = await pass(urgency)
      if (outcome === 'ok') held.succeeded()
      else held.failed(outcome)
    }
  }

  return { clock, governor, now, pass, refusal, send }
}
