import { expect, it } from 'vitest'
import { byForm } from './form.ts'
import { ALL_WELL, judge, readHoldings } from './holdings.ts'
import { keepCalling } from './load.ts'
import { startProgram } from './program.ts'
import { countsOf, largest, mean, report, secondsSince } from './report.ts'
import { elapse } from './until.ts'
import { accountNames, createWorld } from './world.ts'

const ACCOUNTS = accountNames(40)
const CALLERS = 8
const LIFE_MS_MAX = 600
/** The hard limit of a request to the provider, and five seconds. */
const EXIT_MS_MAX = 65_000

it('SIGTERM under load loses nothing where a refresh token works once, and ends in time', async () => {
  const rounds = byForm({ middle: 12, full: 200 })
  const world = await createWorld({ replay: 'single_use', behavior: { accessTokenLifetimeMs: 1_000 } })
  world.dawdle(200, 200)
  const began = performance.now()
  const exits: number[] = []
  const inFlight: number[] = []
  for (let round = 0; round < rounds; round++) {
    const program = await startProgram(world.home)
    if (round === 0) await world.connect(program, ACCOUNTS)
    const load = keepCalling(program, ACCOUNTS, CALLERS)
    await elapse(Math.random() * LIFE_MS_MAX)
    inFlight.push(world.inFlight())
    const { code, ms } = await program.stop()
    await load.end()
    expect({ round, code }).toEqual({ round, code: 0 })
    exits.push(ms)
  }
  const verdict = judge(await readHoldings(world.home.dataDir), world)
  const slowestExitMs = Math.round(largest(exits))
  const counts = { rounds, took: secondsSince(began), refreshes: world.refreshRequests() }
  report('SIGTERMs', { ...counts, inFlight: mean(inFlight), slowestExitMs, ...countsOf(verdict) })
  expect(verdict).toEqual(ALL_WELL)
  expect(slowestExitMs).toBeLessThanOrEqual(EXIT_MS_MAX)
  expect(largest(inFlight)).toBeGreaterThan(0)
})
