import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { byForm } from './form.ts'
import { ALL_WELL, judge, readHoldings } from './holdings.ts'
import { type Program, startProgram } from './program.ts'
import { countsOf, report, secondsSince } from './report.ts'
import { untilSettled } from './settle.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'
import { missingTmpfs, skipped } from './tools.ts'
import { elapse, until } from './until.ts'
import { accountNames, createWorld, type World } from './world.ts'

const ACCOUNTS = accountNames(40)
const LIFETIME_MS = 1_000
const SLOW_MS_MAX = 150
/** Room for the database, its log and what is kept for hard times, and little more. */
const DISK_MEGABYTES = 16
const LIFE_MS_MAX = 600
const FULL_MS_MAX = 2_000
/** How long the provider must have been left alone to count as not asked any more. */
const QUIET_MS = 1_500
const QUIET_MS_MAX = 20_000
/** Without a request for that long none is on its way; the other is how long one may take to arrive. */
const STORED_MS = 500
const ARRIVAL_MS = 50
const SETTLE_MS_MAX = 30_000

const missing = await missingTmpfs()

describe.skipIf(missing !== undefined)(`a disk that is full at a random moment${skipped(missing)}`, () => {
  it('loses nothing, and is recovered from without a restart', async () => {
    const rounds = byForm({ middle: 8, full: 100 })
    const { world, disk } = await createFullDiskWorld()
    const began = performance.now()
    for (let round = 0; round < rounds; round++) {
      // A fresh start has a log of no length, so that no room is left in it.
      const program = await startProgram(world.home)
      if (round === 0) await world.connect(program, ACCOUNTS)
      await elapse(Math.random() * LIFE_MS_MAX)
      await disk.fill()
      await elapse(Math.random() * FULL_MS_MAX)
      await disk.free()
      await untilSettled(program, SETTLE_MS_MAX)
      expect(await program.stop()).toMatchObject({ code: 0 })
      const verdict = judge(await readHoldings(world.home.dataDir), world)
      expect({ round, ...verdict }).toEqual({ round, ...ALL_WELL })
    }
    report('full disks', { rounds, took: secondsSince(began), refreshes: world.refreshRequests(), lost: 0 })
  })

  it('keeps the provider from being asked while no intent can be stored, for as long as it lasts', async () => {
    const fullMs = byForm({ middle: 10_000, full: 600_000 })
    const { world, disk } = await createFullDiskWorld()
    const program = await startProgram(world.home)
    await world.connect(program, ACCOUNTS)
    await disk.fill()
    await untilQuiet(world, QUIET_MS)
    const before = world.refreshRequests()
    await elapse(fullMs)
    const requests = world.refreshRequests() - before
    expect(await (await fetch(await readinessUrl(program))).status).toBe(503)
    await disk.free()
    await untilSettled(program, SETTLE_MS_MAX)
    await until('the provider is asked again', SETTLE_MS_MAX, () => world.refreshRequests() > before + 1)
    expect(await program.stop()).toMatchObject({ code: 0 })
    const verdict = judge(await readHoldings(world.home.dataDir), world)
    report('a disk that stays full', { seconds: fullMs / 1_000, requests, ...countsOf(verdict) })
    expect({ requests, ...verdict }).toEqual({ requests: 0, ...ALL_WELL })
  })

  it('loses nothing if the process is killed before there is room again', async () => {
    const rounds = byForm({ middle: 6, full: 100 })
    const { world, disk } = await createFullDiskWorld()
    const began = performance.now()
    for (let round = 0; round < rounds; round++) {
      const since = Date.now()
      const program = await startProgram(world.home)
      if (round === 0) await world.connect(program, ACCOUNTS)
      await elapse(Math.random() * LIFE_MS_MAX)
      await disk.fill()
      await killUnasked(world, program, since)
      await disk.free()
      const next = await startProgram(world.home)
      await untilSettled(next, SETTLE_MS_MAX)
      expect(await next.stop()).toMatchObject({ code: 0 })
      const verdict = judge(await readHoldings(world.home.dataDir), world)
      expect({ round, ...verdict }).toEqual({ round, ...ALL_WELL })
    }
    report('kills on full disks', { rounds, took: secondsSince(began), lost: 0 })
  })
})

async function createFullDiskWorld(): Promise<{ readonly world: World; readonly disk: SmallDisk }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'token-broker-chaos-disk-'))
  const disk = await mountSmallDisk(dataDir, DISK_MEGABYTES)
  onTestFinished(async () => {
    await disk.unmount()
    await rm(dataDir, { recursive: true, force: true })
  })
  // One use and no more: what is not kept is lost.
  const world = await createWorld({
    replay: 'single_use',
    dataDir,
    behavior: { accessTokenLifetimeMs: LIFETIME_MS },
  })
  world.dawdle(SLOW_MS_MAX, SLOW_MS_MAX)
  return { world, disk }
}

/** Waits until the provider was left alone for that long. */
async function untilQuiet({ refreshRequests, inFlight }: World, quietMs: number): Promise<void> {
  let count = refreshRequests()
  let since = performance.now()
  await until('the provider is left alone', QUIET_MS_MAX, () => {
    if (refreshRequests() !== count || inFlight() > 0) {
      count = refreshRequests()
      since = performance.now()
    }
    return performance.now() - since > quietMs
  })
}

/**
 * Kills it when no answer is on its way and each that came is in the log as stored or spooled: others would be lost
 * to any program, and this is about what came and had to wait.
 *
 * @param since when the process was started, in milliseconds since the epoch
 */
async function killUnasked(world: World, program: Program, since: number): Promise<void> {
  const requests = () =>
    world.sandbox.control.listRequests({ operation: 'refresh' }).filter(({ time }) => time >= since).length
  const placed = () => program.log.filter(({ message }) => message === 'Refreshed').length
  await until('it can be killed unasked', QUIET_MS_MAX, async () => {
    await untilQuiet(world, STORED_MS)
    if (placed() < requests()) return false
    const asked = requests()
    program.signal('SIGSTOP')
    // What it sent before arrives meanwhile.
    await elapse(ARRIVAL_MS)
    if (requests() === asked) return true
    program.signal('SIGCONT')
    return false
  })
  await program.kill()
}

/** The admin listener's probe, whose port the log tells. */
function readinessUrl({ log }: Program): string {
  return `http://${log.find(({ message }) => message === 'Serving')?.admin}/readyz`
}
