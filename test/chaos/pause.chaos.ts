import { expect, it } from 'vitest'
import { ALL_WELL, judge, readHoldings, type Verdict } from './holdings.ts'
import { DIALECT } from './home.ts'
import { type Program, startProgram } from './program.ts'
import { report } from './report.ts'
import { elapse, until } from './until.ts'
import { accountNames, createWorld } from './world.ts'

/** Each process has that many refreshes in flight when it is paused, and there are four processes. */
const ACCOUNTS = accountNames(25)
/** How long after the limit each process goes on: what a timer takes for its own lateness, and real pauses. */
const LATE_MS = [50, 200, 1_000, 3_000] as const
/** Before the limit: when the process is paused, and when the provider answers into its socket. */
const PAUSED_MS = 2_500
const ANSWERED_MS = 1_200
/** Of access tokens: before, so that they are due together, and after. */
const SHORT_MS = 3_000
const LONG_MS = 3_600_000
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
  const world = await createWorld({
    replay: 'single_use',
    concurrency: ACCOUNTS.length,
    behavior: { accessTokenLifetimeMs: SHORT_MS },
  })
  const { control } = world.sandbox
  const program = await startProgram(world.home)
  await world.connect(program, ACCOUNTS)
  // A provider is not sent that many at once before it has shown that it answers.
  await until('the provider is trusted', DUE_MS_MAX, () => world.refreshRequests() >= 2 * ACCOUNTS.length)
  await world.drained()
  control.addFault({ operation: 'refresh', delayAfterMs: limitMs - ANSWERED_MS })
  control.changeBehavior(DIALECT, { accessTokenLifetimeMs: LONG_MS })
  await until('every refresh is in flight', DUE_MS_MAX, () => world.inFlight() === ACCOUNTS.length)
  const requestsBefore = world.refreshRequests() - ACCOUNTS.length
  const [first] = control.listRequests({ operation: 'refresh' }).slice(-ACCOUNTS.length)
  const sentAt = first?.time ?? Date.now()

  const answers = Promise.allSettled(ACCOUNTS.map(account => program.getToken(account)))
  await pause(program, sentAt + limitMs - PAUSED_MS, sentAt + limitMs + lateMs)
  await answers
  // The verdict says which are not.
  await until('every answer is stored', STORED_MS_MAX, () => areAllLong(program)).catch(() => {})
  await program.kill()
  return {
    verdict: judge(await readHoldings(world.home.dataDir), world),
    requests: world.refreshRequests() - requestsBefore,
  }
}

async function areAllLong(program: Program): Promise<boolean> {
  const statuses = [...(await program.statuses()).values()]
  return statuses.every(({ expireTime }) => Number(expireTime) > Date.now() + LONG_MS / 2)
}

async function pause(program: Program, from: number, to: number): Promise<void> {
  await elapse(from - Date.now())
  program.signal('SIGSTOP')
  await elapse(to - Date.now())
  program.signal('SIGCONT')
}
