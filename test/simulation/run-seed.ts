import { type Acts, createActs } from './acts.ts'
import type { Profile } from './profile.ts'
import { profileOf } from './profile.ts'
import { quiesce } from './quiescence.ts'
import type { Replica } from './replica.ts'
import type { Tally } from './truth.ts'
import { createWorld, type Plant, type World } from './world.ts'

/** How many lines of the end of a trace a failure prints. */
const TRACE_LINES = 200

export interface SeedOptions {
  readonly plant?: Plant
  /** What the profile of each seed is forced to. */
  readonly over?: Partial<Profile>
}

/** The outcome of one seed; `failure` has the rule that did not hold. */
export interface SeedResult {
  readonly seed: number
  readonly tally: Tally
  readonly failure?: string
}

/** Runs one seed from nothing to quiescence. */
export async function runSeed(
  seed: number,
  options: SeedOptions = {},
  trace?: string[],
): Promise<SeedResult> {
  // Thousands of errors are thrown, and nobody reads where unless a seed is explained.
  Error.stackTraceLimit = trace === undefined ? 0 : 20
  const profile = profileOf(seed, options.over)
  const world = createWorld(profile, { plant: options.plant, trace })
  const { truth } = world
  try {
    const acts = createActs(world)
    for (const account of profile.accounts) void acts.connect(pickRunning(world), account)
    await world.run(200)
    for (let step = 0; step < profile.steps; step++) await takeStep(world, acts)
    await quiesce(world, acts)
    return { seed, tally: truth.tally }
  } catch (error) {
    const failure =
      error instanceof Error
        ? truth.violations.length > 0
          ? error.message
          : (error.stack ?? '')
        : String(error)
    return { seed, tally: truth.tally, failure }
  }
}

/** Runs a failed seed again, with everything that happens in it, for people. */
export async function explainSeed(seed: number, options: SeedOptions = {}): Promise<string> {
  const trace: string[] = []
  const { failure } = await runSeed(seed, options, trace)
  const shown = trace.slice(-TRACE_LINES)
  const profile = JSON.stringify(profileOf(seed, options.over))
  return [`SEED=${seed} ${failure ?? 'did not fail again'}`, profile, ...shown].join('\n')
}

async function takeStep(world: World, acts: Acts): Promise<void> {
  const { dice, profile, modes, truth } = world
  const replica = pickRunning(world)
  const account = dice.pick(profile.accounts)
  const command = dice.weighted<string>(profile.commands)
  switch (command) {
    case 'get':
      void acts.get(replica, account, getOptions(world))
      break
    case 'refresh':
      void acts.refresh(replica, account)
      break
    case 'disconnect':
      void acts.disconnect(replica, account)
      break
    case 'connect':
      void acts.connect(replica, account)
      break
    case 'terminate':
      await provoke(world, acts, replica, account)
      void acts.terminate(replica).then(() => restart(world, replica))
      break
    case 'crash':
      await provoke(world, acts, replica, account)
      await crash(world, replica)
      break
    case 'pause':
      await provoke(world, acts, replica, account)
      pause(world, replica)
      break
    case 'provider':
      modes.provider = dice.weighted({
        fair: 3,
        flaky: 4,
        dead: 1,
        silent: 1,
        misconfigured: 0.7,
        lying: 0.5,
      })
      truth.note(`provider is ${modes.provider}`)
      break
    case 'store':
      modes.store = dice.weighted({ up: 3, down: 1, full: 1, busy: 1 })
      truth.note(`store is ${modes.store}`)
      break
    case 'jump':
      jump(world, replica)
      break
  }
  await world.run(pace(world))
}

/** Trouble hurts most in the middle of a refresh. */
async function provoke(world: World, acts: Acts, replica: Replica, account: string): Promise<void> {
  const { dice } = world
  if (dice.chance(0.4)) return
  if (dice.chance(0.5)) void acts.refresh(replica, account)
  else void acts.get(replica, account, { rejectLast: true })
  await world.run(dice.pick([dice.between(0, 15), dice.between(10, 300)]))
}

/** Much happens within milliseconds of each other; some of it hours later. */
function pace({ dice, profile }: World): number {
  const { lifetime } = profile.habits
  return dice.pick([
    0,
    dice.between(1, 20),
    dice.between(20, 400),
    dice.between(400, 10_000),
    dice.between(1, lifetime * 1_200),
  ])
}

function getOptions({ dice }: World) {
  return { minTtlMs: dice.pick([undefined, 0, 20_000]), rejectLast: dice.chance(0.15) }
}

/** A replica to talk to: one that lives, if there is one; talking to a paused one is fine. */
function pickRunning({ dice, replicas }: World): Replica {
  const running = replicas.filter(({ process }) => process.alive)
  return dice.pick(running.length > 0 ? running : replicas)
}

async function crash(world: World, replica: Replica): Promise<void> {
  if (!replica.process.alive) return
  await replica.crash()
  restart(world, replica)
}

function restart({ dice, scheduler, profile }: World, replica: Replica): void {
  const died = replica.process
  scheduler.after(dice.between(10, profile.downMsMax), () => {
    if (replica.process === died) replica.boot()
  })
}

function pause({ dice, scheduler, profile }: World, replica: Replica): void {
  const { process } = replica
  if (!process.alive || process.paused) return
  replica.pause()
  scheduler.after(dice.between(10, profile.pauseMsMax), () => {
    if (process.alive && process.paused) replica.resume()
  })
}

function jump({ dice, profile }: World, replica: Replica): void {
  replica.setClock(dice.between(-profile.jumpMsMax, profile.jumpMsMax))
}
