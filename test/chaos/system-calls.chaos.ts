import { describe, expect, it } from 'vitest'
import { byForm } from './form.ts'
import { readRevocations } from './holdings.ts'
import { type Injection, injectionsInto, isInjected, optionsFor } from './injections.ts'
import { forgottenGrants, OPERATIONS, type Operation } from './operations.ts'
import { type Program, startProgram } from './program.ts'
import { report, secondsSince } from './report.ts'
import { untilSettled } from './settle.ts'
import { traceProgram } from './strace.ts'
import { missingStrace, skipped } from './tools.ts'
import { until } from './until.ts'
import { createWorld, type World } from './world.ts'

/** How long a broker may take to get over a fault by itself, before it is restarted. */
const RECOVER_MS_MAX = 6_000
const SETTLE_MS_MAX = 30_000
const DEATH_MS_MAX = 300
/** Node's pool would spread the calls over threads in a new way each time. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' }

const missing = await missingStrace()

describe.skipIf(missing !== undefined)(
  `SIGKILL, ENOSPC and EIO at each system call of${skipped(missing)}`,
  () => {
    it.each(OPERATIONS)('$name', async operation => {
      const world = await createWorld({ replay: 'window', windowMs: 30_000, isForBrowsers: true })
      const setting = { ...world.home, env: ONE_THREAD }
      const injections = await findInjections(world, operation)
      const tried = sample(injections, byForm({ middle: 8, full: injections.length }))
      const began = performance.now()
      const seen = { hit: 0, restarts: 0, done: 0 }
      const wrong: string[] = []
      let program = await startProgram(setting)
      for (const [index, injection] of tried.entries()) {
        const subject = await operation.prepare(world, program, `account-${index}`)
        const trace = await traceProgram(program, optionsFor(injection))
        const isDone = await operation.act(program, subject)
        const calls = await trace.stop()
        if (injection.fault === 'SIGKILL' ? await hasDied(program) : calls.some(isInjected)) seen.hit++
        if (isDone) seen.done++
        const survivor = await recover(program)
        if (survivor === undefined) {
          seen.restarts++
          await program.kill()
          program = await startProgram(setting)
          await untilSettled(program, SETTLE_MS_MAX)
        }
        const broken = await operation.check(world, program, subject, isDone)
        if (broken !== undefined)
          wrong.push(`${injection.name} ${injection.number}, ${injection.fault}: ${broken}`)
      }
      const connected = new Set((await program.statuses()).keys())
      await program.kill()
      const forgotten = forgottenGrants(world, connected, await readRevocations(world.home.dataDir))
      wrong.push(...forgotten.map(account => `${account}: disconnected, and never to be revoked`))
      const counts = { points: injections.length, tried: tried.length, ...seen, took: secondsSince(began) }
      report(`system calls of ${operation.name}`, { ...counts, wrong: wrong.length })
      expect(wrong).toEqual([])
      // The last calls that were counted are not made each time.
      expect(seen.hit).toBeGreaterThan(tried.length / 4)
    })
  },
)

/** Runs the operation once without a fault, to count its system calls. */
async function findInjections(world: World, operation: Operation): Promise<Injection[]> {
  const program = await startProgram({ ...world.home, env: ONE_THREAD })
  // The first time is not like the others: code is loaded, files grow.
  const first = await operation.prepare(world, program, 'first')
  expect(await operation.act(program, first)).toBe(true)
  const subject = await operation.prepare(world, program, 'counted')
  const trace = await traceProgram(program, optionsFor())
  expect(await operation.act(program, subject)).toBe(true)
  const calls = await trace.stop()
  expect(await operation.check(world, program, subject, true)).toBeUndefined()
  await program.stop()
  return injectionsInto(calls)
}

/** @returns undefined if it is dead, or cannot get over it by itself */
async function recover(program: Program): Promise<Program | undefined> {
  if (program.hasExited()) return undefined
  try {
    await untilSettled(program, RECOVER_MS_MAX)
    return program
  } catch {
    return undefined
  }
}

/** The news may come after that of strace's end. */
function hasDied(program: Program): Promise<boolean> {
  return until('it has died', DEATH_MS_MAX, program.hasExited).catch(() => false)
}

/** That many of them, evenly spread; the same ones each time. */
function sample<T>(all: readonly T[], count: number): T[] {
  const step = Math.max(1, all.length / count)
  return Array.from({ length: Math.min(count, all.length) }, (_, index) => all[Math.floor(index * step)] as T)
}
