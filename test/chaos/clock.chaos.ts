import { describe, expect, it } from 'vitest'
import { createFakeClock, type FakeClock, TRUE_TIME } from './fake-clock.ts'
import { byForm } from './form.ts'
import { ALL_WELL, judge, readHoldings, type Verdict } from './holdings.ts'
import { type Answers, keepCalling } from './load.ts'
import { type Program, startProgram } from './program.ts'
import { report } from './report.ts'
import { missingFaketime, skipped } from './tools.ts'
import { elapse, until } from './until.ts'
import { accountNames, createWorld, type World } from './world.ts'

const ACCOUNTS = accountNames(20)
const CALLERS = 4
const CONCURRENCY = 8
const LIFETIME_MS = 4_000
/** How long callers ask under one time: long enough for every token to end. */
const PHASE_MS = 2 * LIFETIME_MS
const ROUNDS = byForm({ middle: 1, full: 10 })
/** A connection is renewed after half its token's life; twice that, and once more for each jump. */
const REQUESTS_PER_LIFE_MAX = 4

const JUMPS = [
  ['ten days ahead', '+10d'],
  ['an hour back', '-1h'],
] as const

const missing = await missingFaketime()

type Jump = (typeof JUMPS)[number]

describe.skipIf(missing !== undefined)(
  `a wall clock that jumps ten days ahead or an hour back${skipped(missing)}`,
  () => {
    it('and back while the broker runs: nothing expired is served, nothing lost, nobody stormed', async () => {
      await Promise.all(JUMPS.map(whileItRuns))
    })

    it('and back during a refresh: its tokens are stored, and none outlives itself', async () => {
      await Promise.all(JUMPS.map(duringRefresh))
    })

    it('and back some time before a restart: nothing expired is served, nothing lost', async () => {
      await Promise.all(JUMPS.map(beforeRestart))
    })

    it('and back across a restart: nothing expired is served, nothing lost', async () => {
      await Promise.all(JUMPS.map(acrossRestart))
    })
  },
)

async function whileItRuns([how, offset]: Jump): Promise<void> {
  const { world, clock, program } = await createClockWorld()
  world.dawdle(100, 100)
  const watch = watchTokens(world, program)
  const began = performance.now()
  for (let round = 0; round < ROUNDS; round++) {
    for (const time of [offset, TRUE_TIME]) {
      await clock.set(time)
      await elapse(PHASE_MS)
    }
  }
  const lives = (performance.now() - began) / LIFETIME_MS
  const { expired, mostInFlight, tokens, refusals } = await watch.end()
  const verdict = await stopAndJudge(world, program)
  const requests = world.refreshRequests()
  report(`clock ${how}`, { rounds: ROUNDS, tokens, expired, refused: refusals.size, requests, mostInFlight })
  expect({ expired, ...verdict }).toEqual({ expired: 0, ...ALL_WELL })
  expect([...refusals]).toEqual([])
  expect(tokens).toBeGreaterThan(0)
  expect(mostInFlight).toBeLessThanOrEqual(CONCURRENCY)
  expect(requests).toBeLessThanOrEqual(ACCOUNTS.length * (lives + 1) * REQUESTS_PER_LIFE_MAX)
}

async function duringRefresh([how, offset]: Jump): Promise<void> {
  const { world, clock, program } = await createClockWorld()
  world.sandbox.control.addFault({ operation: 'refresh', delayAfterMs: 1_000 })
  const watch = watchTokens(world, program)
  for (let round = 0; round < ROUNDS; round++) {
    for (const time of [offset, TRUE_TIME]) {
      await until('a refresh is in flight', PHASE_MS, () => world.inFlight() > 0)
      await clock.set(time)
      await elapse(PHASE_MS)
    }
  }
  const { expired, tokens } = await watch.end()
  const verdict = await stopAndJudge(world, program)
  report(`clock ${how} during a refresh`, { rounds: ROUNDS, tokens, expired })
  expect({ expired, ...verdict }).toEqual({ expired: 0, ...ALL_WELL })
  expect(tokens).toBeGreaterThan(0)
}

/** What a run has told the store after a jump is all that the next one knows. */
async function beforeRestart([how, offset]: Jump): Promise<void> {
  const { world, clock, program: first } = await createClockWorld()
  let program = first
  const seen = { expired: 0, tokens: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    for (const time of [offset, TRUE_TIME]) {
      await clock.set(time)
      // Longer than between two looks at the clock.
      await elapse(LIFETIME_MS / 2)
      expect(await program.stop()).toMatchObject({ code: 0 })
      await until('every token is over', PHASE_MS, () => world.accepted('access').size === 0)
      program = await startProgram({ ...world.home, env: clock.env })
      const watch = watchTokens(world, program)
      await elapse(LIFETIME_MS)
      const { expired, tokens } = await watch.end()
      seen.expired += expired
      seen.tokens += tokens
    }
  }
  const verdict = await stopAndJudge(world, program)
  report(`clock ${how} some time before a restart`, { rounds: ROUNDS, ...seen })
  expect({ expired: seen.expired, ...verdict }).toEqual({ expired: 0, ...ALL_WELL })
  expect(seen.tokens).toBeGreaterThan(0)
}

async function acrossRestart([how, offset]: Jump): Promise<void> {
  const { world, clock, program: first } = await createClockWorld()
  let program = first
  const seen = { expired: 0, tokens: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    for (const time of [offset, TRUE_TIME]) {
      await elapse(LIFETIME_MS)
      expect(await program.stop()).toMatchObject({ code: 0 })
      await until('every token is over', PHASE_MS, () => world.accepted('access').size === 0)
      await clock.set(time)
      program = await startProgram({ ...world.home, env: clock.env })
      const watch = watchTokens(world, program)
      await elapse(LIFETIME_MS)
      const { expired, tokens } = await watch.end()
      seen.expired += expired
      seen.tokens += tokens
    }
  }
  const verdict = await stopAndJudge(world, program)
  report(`clock ${how} across a restart`, { rounds: ROUNDS, ...seen })
  expect({ expired: seen.expired, ...verdict }).toEqual({ expired: 0, ...ALL_WELL })
  expect(seen.tokens).toBeGreaterThan(0)
}

async function stopAndJudge(world: World, program: Program): Promise<Verdict> {
  expect(await program.stop()).toMatchObject({ code: 0 })
  return judge(await readHoldings(world.home.dataDir), world)
}

interface ClockWorld {
  readonly world: World
  readonly clock: FakeClock
  readonly program: Program
}

async function createClockWorld(): Promise<ClockWorld> {
  const behavior = { accessTokenLifetimeMs: LIFETIME_MS }
  const world = await createWorld({ replay: 'single_use', concurrency: CONCURRENCY, behavior })
  const clock = await createFakeClock(world.home)
  const program = await startProgram({ ...world.home, env: clock.env })
  await world.connect(program, ACCOUNTS, LIFETIME_MS)
  return { world, clock, program }
}

interface Seen extends Answers {
  /** Tokens that the provider did not take any more when they arrived. */
  readonly expired: number
  readonly mostInFlight: number
}

/** Callers that show every token to the provider. */
function watchTokens(world: World, program: Program): { end(): Promise<Seen> } {
  let expired = 0
  let mostInFlight = 0
  const load = keepCalling(program, ACCOUNTS, CALLERS, ({ accessToken }) => {
    if (!world.accepted('access').has(accessToken)) expired++
    mostInFlight = Math.max(mostInFlight, world.inFlight())
  })
  return { end: async () => ({ ...(await load.end()), expired, mostInFlight }) }
}
