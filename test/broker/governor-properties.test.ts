import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGovernor } from '../../src/broker/governor/create-governor.ts'
import type { Entry, Pass, Ticket, Urgency } from '../../src/broker/governor/governor.ts'
import type { Failure } from '../../src/oauth/failure.ts'
import { createFakeClock, settle } from './fake-clock.ts'
import { failures } from './governor-driver.ts'

const ORDER: readonly Urgency[] = ['recovery', 'demand', 'renewal']

type Outcome = Failure | 'ok' | 'unused'
type Command =
  | { readonly do: 'enter'; readonly urgency: Urgency; readonly retry: boolean; readonly patienceMs?: number }
  | { readonly do: 'hasten'; readonly which: number; readonly urgency: Urgency }
  | { readonly do: 'end'; readonly which: number; readonly outcome: Outcome }
  | { readonly do: 'advance'; readonly ms: number }

const urgency = fc.constantFrom(...ORDER)
const { limitedFor, ...constant } = failures
const outcome = fc.constantFrom<Outcome>(
  'ok',
  'ok',
  'ok',
  'unused',
  limitedFor(7_000),
  ...Object.values(constant),
)
const entering = fc.record({
  do: fc.constant('enter' as const),
  urgency,
  retry: fc.boolean(),
  patienceMs: fc.option(fc.integer({ min: 1, max: 90_000 }), { nil: undefined }),
})
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: entering },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(), outcome }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('hasten' as const), which: fc.nat(), urgency }),
  },
)
const limits = fc.record({
  concurrency: fc.integer({ min: 1, max: 8 }),
  perSecond: fc.constantFrom(0.3, 1, 2.5, 10, 1_000),
})

interface Place {
  urgency: Urgency
  readonly retry: boolean
  readonly ticket: Ticket
  entry?: Entry
}

/** Does what the commands say and notes what comes of it. */
function createModel(given: { concurrency: number; perSecond: number }) {
  const clock = createFakeClock()
  const governor = createGovernor(given, clock)
  const places: Place[] = []
  const out: Pass[] = []
  const starts: number[] = []
  const overtaken: string[] = []

  function admitted(place: Place, entry: Entry): void {
    place.entry = entry
    if (!entry.admitted) return
    out.push(entry.pass)
    starts.push(clock.monotonic())
    for (const other of places) {
      const waits = other.entry === undefined && (!other.retry || other.urgency === 'recovery')
      if (waits && ORDER.indexOf(other.urgency) < ORDER.indexOf(place.urgency)) {
        overtaken.push(`${place.urgency} before ${other.urgency}`)
      }
    }
  }

  function end(which: number, how: Outcome): void {
    const [held] = out.splice(which % out.length, 1)
    if (how === 'ok') held?.succeeded()
    else if (how === 'unused') held?.unused()
    else held?.failed(how)
  }

  async function run(next: Command): Promise<void> {
    if (next.do === 'enter') {
      const ticket = governor.enter(next.urgency, next)
      const place: Place = { urgency: next.urgency, retry: next.retry, ticket }
      places.push(place)
      void ticket.entered.then(entry => admitted(place, entry))
    } else if (next.do === 'hasten') {
      const waiting = places.filter(({ entry }) => entry === undefined)
      const place = waiting[next.which % waiting.length]
      place?.ticket.hasten(next.urgency)
      if (place && ORDER.indexOf(next.urgency) < ORDER.indexOf(place.urgency)) place.urgency = next.urgency
    } else if (next.do === 'end') {
      if (out.length > 0) end(next.which, next.outcome)
    } else {
      await clock.advance(next.ms)
    }
    await settle()
  }

  return { clock, governor, places, out, starts, overtaken, end, run }
}

/** No more than a second's worth at once, and then spaced. */
function isWithinRate(starts: readonly number[], perSecond: number): boolean {
  const spacing = 1_000 / perSecond
  const credit = Math.max(0, 1_000 - spacing)
  let latest = Number.NEGATIVE_INFINITY
  return starts.every(at => {
    latest = Math.max(latest, at - credit)
    const fits = latest <= at + 1e-6
    latest += spacing
    return fits
  })
}

describe('whatever happens', () => {
  it('a governor keeps to its limits and its order, and loses nobody', async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(command, { maxLength: 60 }), async (given, commands) => {
        const model = createModel(given)
        const { clock, governor, places, out, starts, overtaken, end, run } = model
        for (const next of commands) {
          await run(next)
          expect(out.length).toBeLessThanOrEqual(given.concurrency)
          const { inFlight, waiting, retryBudget } = governor.snapshot()
          expect(inFlight).toBe(out.length)
          expect(waiting).toBe(places.filter(({ entry }) => entry === undefined).length)
          expect(retryBudget).toBeGreaterThanOrEqual(0)
          expect(governor.room()).toBeLessThanOrEqual(given.concurrency)
        }
        for (let turn = 0; turn < 100 && places.some(({ entry }) => entry === undefined); turn++) {
          while (out.length > 0) end(0, 'ok')
          await clock.advance(10_000)
        }
        while (out.length > 0) end(0, 'ok')
        await settle()
        expect(places.every(({ entry }) => entry !== undefined)).toBe(true)
        expect(overtaken).toEqual([])
        expect(isWithinRate(starts, given.perSecond)).toBe(true)
        expect(governor.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
      }),
      { numRuns: 300 },
    )
  })
})
