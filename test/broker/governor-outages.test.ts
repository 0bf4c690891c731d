import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Pass, Urgency } from '../../src/broker/governor/governor.ts'
import { createDriver, failures } from './governor-driver.ts'

/** How often the renewer looks whether there is room for more, as the real one does. */
const TICK_MS = 250

/** What is asked of a provider, in place of the refresher: so many renewals as there is room for, and callers. */
function createLoad(options: {
  readonly limits: { concurrency: number; perSecond: number }
  readonly due: number
  /** Callers that come with each tick. */
  readonly callers?: number
  readonly roundTripMs: number
  /** How the provider answers a request that was sent so long after the start, in milliseconds. */
  readonly answer: (pass: Pass, sentAt: number) => void
}) {
  const { clock, governor } = createDriver(options.limits)
  const sent: number[] = []
  const waited: number[] = []
  let due = options.due
  let inFlightMax = 0

  function start(urgency: Urgency): void {
    if (urgency === 'renewal') due--
    const asked = clock.monotonic()
    void governor.enter(urgency).entered.then(entry => {
      if (!entry.admitted) {
        if (urgency === 'renewal') due++
        return
      }
      const at = clock.monotonic()
      sent.push(at)
      if (urgency === 'demand') waited.push(at - asked)
      inFlightMax = Math.max(inFlightMax, governor.snapshot().inFlight)
      clock.schedule(options.roundTripMs, () => options.answer(entry.pass, at))
    })
  }

  async function run(ms: number): Promise<void> {
    for (let elapsed = 0; elapsed < ms; elapsed += TICK_MS) {
      for (let turn = 0; turn < (options.callers ?? 0); turn++) start('demand')
      for (let room = Math.min(governor.room(), due); room > 0; room--) start('renewal')
      await clock.advance(TICK_MS)
    }
  }

  return {
    governor,
    sent,
    waited,
    run,
    /** For the answer of the test to say, if it fails a request. */
    isDueAgain: () => void due++,
    due: () => due,
    inFlightMax: () => inFlightMax,
  }
}

describe('a hundred thousand due connections', () => {
  it('cost a provider that refuses our client at most 20 requests in ten minutes', async () => {
    const load = createLoad({
      limits: { concurrency: 64, perSecond: 1_000 },
      due: 100_000,
      callers: 1,
      roundTripMs: 300,
      answer(pass) {
        pass.failed(failures.client)
        load.isDueAgain()
      },
    })
    await load.run(600_000)
    expect(load.sent.length).toBeGreaterThanOrEqual(10)
    expect(load.sent.length).toBeLessThanOrEqual(20)
  })

  it('never exceed the concurrency, and callers overtake them', async () => {
    const load = createLoad({
      limits: { concurrency: 16, perSecond: 1_000 },
      due: 100_000,
      callers: 2,
      roundTripMs: 300,
      answer: pass => pass.succeeded(),
    })
    await load.run(120_000)
    expect(load.inFlightMax()).toBe(16)
    expect(Math.max(...load.waited.slice(20))).toBeLessThanOrEqual(300)
    // A tick finds at the most so many places as there are; each is filled anew every second tick.
    expect(load.sent.length).toBeGreaterThan((120_000 / (2 * TICK_MS)) * 16 * 0.9)
  })
})

describe('a provider that is dead for a while', () => {
  it.each([
    ['answers 503', 50],
    ['hangs', 60_000],
  ])(
    'gets one request in 30 s once it is down, and all is renewed after it is healed: it %s',
    async (_, hang) => {
      const healedAt = 900_000
      const load = createLoad({
        limits: { concurrency: 16, perSecond: 100 },
        due: 500,
        callers: 1,
        roundTripMs: 0,
        answer(pass, sentAt) {
          if (sentAt >= healedAt) return pass.succeeded()
          hanging.push({ pass, until: sentAt + hang })
        },
      })
      const hanging: { pass: Pass; until: number }[] = []
      let openedAt: number | undefined
      for (let now = 0; now < healedAt; now += TICK_MS) {
        for (const one of hanging.filter(({ until }) => until <= now)) {
          one.pass.failed(failures.unknown)
          load.isDueAgain()
          hanging.splice(hanging.indexOf(one), 1)
        }
        if (load.governor.snapshot().breaker === 'open') openedAt ??= now
        await load.run(TICK_MS)
      }
      const probes = load.sent.filter(at => at > (openedAt ?? 0))
      const gaps = probes.slice(1).map((at, index) => at - (probes[index] ?? 0))
      expect(openedAt).toBeLessThanOrEqual(60_250)
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(30_000)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000 + TICK_MS)

      await load.run(60_000)
      expect(load.governor.snapshot()).toMatchObject({ breaker: 'closed', waiting: 0 })
      expect(load.due()).toBe(0)
    },
  )

  it('gets one request for tokens in 30 s and one of the others, whoever asks, and whenever', async () => {
    const arrival = fc.record({
      afterMs: fc.integer({ min: 0, max: 20_000 }),
      urgency: fc.constantFrom<Urgency>('recovery', 'demand', 'renewal'),
      retry: fc.boolean(),
      purpose: fc.constantFrom('grant', 'grant', 'revoke', 'verify'),
      hangMs: fc.integer({ min: 0, max: 60_000 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { minLength: 20, maxLength: 120 }), async arrivals => {
        const { clock, governor } = createDriver({ concurrency: 8, perSecond: 10 })
        const sent: { readonly grant: number[]; readonly other: number[] } = { grant: [], other: [] }
        for (const { afterMs, urgency, retry, purpose, hangMs } of arrivals) {
          await clock.advance(afterMs)
          void governor.enter(urgency, { retry, purpose }).entered.then(entry => {
            if (!entry.admitted) return
            const kind = purpose === 'grant' ? 'grant' : 'other'
            if (governor.snapshot().breaker === 'open') sent[kind].push(clock.monotonic())
            clock.schedule(hangMs, () => entry.pass.failed(failures.unknown))
          })
        }
        await clock.advance(120_000)
        for (const times of Object.values(sent)) {
          const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
          expect(gaps.every(gap => gap >= 30_000)).toBe(true)
        }
        expect(governor.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
      }),
      { numRuns: 100 },
    )
  })
})
