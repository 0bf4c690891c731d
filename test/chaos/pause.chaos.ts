import { expect, it } from 'vitest'
import { ALL_WELL, judge, readHoldings, type Verdict } from './holdings.ts'
import { type Program, startProgram } from './program.ts'
import { report } from './report.ts'
import { after, until } from './until.ts'
import { accountNames, createWorld, type World } from './world.ts'

/** Each process has that many refreshes in flight when it is paused, and there are four processes. */
const ACCOUNTS = accountNames(25)
/** How long after the limit each process goes on: what a timer takes for its own lateness, and real pauses. */
const LATE_MS = [50, 200, 1_000, 3_000] as const
/** Before the limit: when the process is paused, and when the provider answers into its socket. */
const PAUSED_MS = 2_500
const ANSWERED_MS = 1_200
const DUE_MS_MAX = 20_000
const STORED_MS_MAX = 10_000

const LIMITS = [
  ['how long callers wait', 10_000],
  ['when a request is given up', 60_000],
] as const

it('SIGSTOP until after a limit, with the answers waiting in the sockets, loses none', async () => {
  await Promise.all(
    LIMITS.map(async ([what, limitMs]) => {
      const kept = await Promise.all(LATE_MS.map(lateMs => pauseAcross(limitMs, lateMs)))
      const rounds = ACCOUNTS.length * LATE_MS.length
      const lost = kept.flatMap(({ verdict }) => verdict.lost)
      const requests = kept.reduce((sum, one) => sum + one.requests, 0)
      report(`pauses across the limit of ${what}`, { rounds, kept: rounds - lost.length, requests })
      for (const { verdict } of kept) expect(verdict).toEqual(ALL_WELL)
      expect(requests).toBe(rounds)
    }),
  )
})

async function pauseAcross(
  limitMs: number,
  lateMs: number,
): Promise<{ readonly verdict: Verdict; readonly requests: number }> {
  const world = await createWorld({ replay: 'single_use', concurrency: ACCOUNTS.length })
  world.sandbox.control.addFault({ operation: 'refresh', delayAfterMs: limitMs - ANSWERED_MS })
  const program = await startProgram(world.home)
  await world.connect(program, ACCOUNTS)
  const firstSentAt = await allSent(world)
  const callers = ACCOUNTS.map(account => program.getToken(account, { minTtl: { seconds: 1_800, nanos: 0 } }))
  const answers = Promise.allSettled(callers)
  await pause(program, firstSentAt + limitMs - PAUSED_MS, firstSentAt + limitMs + lateMs)
  await answers
  await until('every answer is stored', STORED_MS_MAX, async () =>
    [...(await program.statuses()).values()].every(({ lastRefreshTime }) => lastRefreshTime !== undefined),
  ).catch(() => {}) // The verdict says which are not.
  await program.kill()
  return {
    verdict: judge(await readHoldings(world.home.dataDir), world),
    requests: world.refreshRequests(),
  }
}

/** @returns when the first of them arrived, in milliseconds since the epoch */
async function allSent({ sandbox, inFlight }: World): Promise<number> {
  await until('every refresh is in flight', DUE_MS_MAX, () => inFlight() === ACCOUNTS.length)
  const [first] = sandbox.control.listRequests({ operation: 'refresh' })
  return first?.time ?? Date.now()
}

async function pause(program: Program, from: number, to: number): Promise<void> {
  await after(from - Date.now())
  program.signal('SIGSTOP')
  await after(to - Date.now())
  program.signal('SIGCONT')
}
