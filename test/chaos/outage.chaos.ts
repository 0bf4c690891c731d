import { describe, expect, it } from 'vitest'
import type { FaultInput } from '../../src/sandbox/fault.ts'
import { byForm } from './form.ts'
import { PROVIDER } from './home.ts'
import { keepCalling } from './load.ts'
import { startProgram } from './program.ts'
import { report, secondsSince } from './report.ts'
import { untilSettled } from './settle.ts'
import { after } from './until.ts'
import { accountNames, createWorld } from './world.ts'

const ACCOUNTS = accountNames(40)
const CALLERS = 4
const CONCURRENCY = 8
const OUTAGE_MS = byForm({ middle: 75_000, full: 600_000 })
/** The access tokens outlive the outage, so that nobody has a reason to be refused. */
const LIFETIME_MS = OUTAGE_MS + 75_000
/** Within that time a broker finds out that the provider is down. */
const FIND_OUT_MS = 5_000
const PROBE_MS = 30_000
const HEALED_MS_MAX = 60_000
const HANG_MS = 600_000

describe('a provider that is down', () => {
  it.concurrent.each<[string, FaultInput]>([
    ['answers 503', { operation: 'refresh', answer: 'status', status: 503 }],
    ['hangs', { operation: 'refresh', answer: 'drop', delayBeforeMs: HANG_MS }],
  ])('and %s: living tokens are served, it is probed twice a minute, all is well a minute after', async (how, fault) => {
    const world = await createWorld({ replay: 'window', windowMs: 30_000, concurrency: CONCURRENCY })
    const program = await startProgram(world.home)
    await world.connect(program, ACCOUNTS, LIFETIME_MS)
    world.sandbox.control.addFault(fault)
    const load = keepCalling(program, ACCOUNTS, CALLERS)
    const refresh = (account: string) =>
      new Promise<void>(resolve => {
        const request = { provider: PROVIDER, account }
        program.tokens.refresh(request, program.operator, { deadline: Date.now() + 60_000 }, () => resolve())
      })
    const refreshes = ACCOUNTS.map(refresh)
    await after(FIND_OUT_MS)
    const atFirst = world.refreshRequests()
    await after(OUTAGE_MS - FIND_OUT_MS)
    const probes = world.refreshRequests() - atFirst
    world.sandbox.control.clearFaults()
    const healed = performance.now()
    await untilSettled(program, HEALED_MS_MAX)
    const recovered = secondsSince(healed)
    await Promise.all(refreshes)
    const { tokens, refusals } = await load.end()
    const perSeconds = Math.ceil((OUTAGE_MS - FIND_OUT_MS) / PROBE_MS)
    report(`a provider that ${how}`, {
      seconds: OUTAGE_MS / 1_000,
      atFirst,
      probes,
      recovered,
      tokens,
      refused: refusals.size,
    })
    expect([...refusals]).toEqual([])
    expect(probes).toBeLessThanOrEqual(perSeconds)
  })
})
