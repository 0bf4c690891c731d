import { expect, it } from 'vitest'
import type { FaultInput } from '../../src/sandbox/fault.ts'
import { byForm } from './form.ts'
import { PROVIDER } from './home.ts'
import { keepCalling } from './load.ts'
import { type Program, startProgram } from './program.ts'
import { report, secondsSince } from './report.ts'
import { untilSettled } from './settle.ts'
import { elapse } from './until.ts'
import { accountNames, createWorld } from './world.ts'

const ACCOUNTS = accountNames(40)
const CALLERS = 4
const CONCURRENCY = 8
const OUTAGE_MS = byForm({ middle: 95_000, full: 600_000 })
/** The access tokens outlive the outage and what follows by what callers want to have left of them, a minute. */
const LIFETIME_MS = OUTAGE_MS + 150_000
const PROBE_MS = 30_000
const HEALED_MS_MAX = 60_000
const HANG_MS = 600_000

/** How it is down, and within what time a broker finds out: at once, or when the first requests are given up. */
const OUTAGES: readonly (readonly [how: string, fault: FaultInput, findOutMs: number])[] = [
  ['answers 503', { operation: 'refresh', answer: 'status', status: 503 }, 5_000],
  ['hangs', { operation: 'refresh', answer: 'drop', delayBeforeMs: HANG_MS }, 65_000],
]

it('a provider that is down: living tokens are served, it is probed twice a minute, all is well a minute after', async () => {
  await Promise.all(OUTAGES.map(outage => survive(...outage)))
})

async function survive(how: string, fault: FaultInput, findOutMs: number): Promise<void> {
  const world = await createWorld({ replay: 'window', windowMs: 30_000, concurrency: CONCURRENCY })
  const program = await startProgram(world.home)
  await world.connect(program, ACCOUNTS, LIFETIME_MS)
  world.sandbox.control.addFault(fault)
  const load = keepCalling(program, ACCOUNTS, CALLERS)
  const refreshes = ACCOUNTS.map(account => forceRefresh(program, account))
  await elapse(findOutMs)
  const atFirst = world.refreshRequests()
  await elapse(OUTAGE_MS - findOutMs)
  const probes = world.refreshRequests() - atFirst
  world.sandbox.control.clearFaults()
  const healed = performance.now()
  await untilSettled(program, HEALED_MS_MAX)
  const recovered = secondsSince(healed)
  await Promise.all(refreshes)
  const { tokens, refusals } = await load.end()
  const seconds = OUTAGE_MS / 1_000
  report(`a provider that ${how}`, { seconds, atFirst, probes, recovered, tokens, refused: refusals.size })
  expect([...refusals]).toEqual([])
  expect(tokens).toBeGreaterThan(0)
  expect(probes).toBeLessThanOrEqual(Math.ceil((OUTAGE_MS - findOutMs) / PROBE_MS))
}

/** Makes the connection due whatever its token's life is; how it ends does not matter. */
async function forceRefresh(program: Program, account: string): Promise<void> {
  const { tokens } = program
  await program.call(tokens, tokens.refresh, { provider: PROVIDER, account }).catch(() => {})
}
