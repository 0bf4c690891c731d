import { createHash } from 'node:crypto'
import { type Acts, createActs } from './acts.ts'
import type { Habits } from './authorization-server.ts'
import type { Dice } from './dice.ts'
import { type Profile, profileOf } from './profile.ts'
import { quiesce } from './quiescence.ts'
import type { Replica } from './replica.ts'
import type { ScheduledEvent, Scheduler } from './scheduler.ts'
import { createWorld, describe, type Plant, type World } from './world.ts'

/** How often each kind of trouble may come on one path. */
export interface Bounds {
  readonly requests: number
  readonly crashes: number
  readonly pauses: number
  /** How often time may pass until something has to be done; nothing else happens meanwhile. */
  readonly waits: number
  /** How many different states are looked at before the search gives up; absent = all. */
  readonly states?: number
}

export interface Search {
  readonly states: number
  readonly endings: number
  /** Whether every state within the bounds was reached. */
  readonly complete: boolean
  readonly failure?: { readonly rule: string; readonly path: readonly string[] }
}

/**
 * What makes no difference when it comes, and so comes at once: timers that are due, news, and reads, because who reads
 * does nothing before it writes or sends.
 */
const AT_ONCE = /timer|news|arrives|audit|spool list|(find|list|count|has)[A-Z]/

/** A token with less life than callers want, so that a request leads to a refresh. */
const LIFETIME = 30
const BEFORE_MS = 6_000
const MIN_TTL_MS = 25_000
/** Longer than a lease and than any timer that matters. */
const WAIT_MS = 130_000

/** One path through the choices. */
interface Path {
  readonly world: World
  readonly acts: Acts
  readonly left: { requests: number; crashes: number; pauses: number; waits: number }
  readonly taken: string[]
}

type Choice = readonly [name: string, take: () => Promise<void> | void]

/**
 * Walks through every order in which two replicas with one connection can be asked, answered, killed and paused: the
 * broker's own code runs, and this decides what happens next. A state is what is stored, what the server knows, what
 * is on its way, and what each process has been told, which determines it; no state is looked at twice.
 */
export async function search(habits: Partial<Habits>, bounds: Bounds, plant?: Plant): Promise<Search> {
  const seen = new Set<string>()
  const open: string[][] = [[]]
  const { states = Number.POSITIVE_INFINITY } = bounds
  let endings = 0
  for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
    const path = await start(habits, bounds, plant)
    try {
      for (const name of prefix) await take(path, name)
      // From here the first choice is followed, the others are left for later.
      for (;;) {
        const state = signature(path)
        if (seen.has(state)) break
        seen.add(state)
        if (seen.size > states) return { states: seen.size, endings, complete: false }
        const [first, ...others] = choices(path).map(([name]) => name)
        if (first === undefined) {
          endings++
          await quiesce(path.world, path.acts)
          break
        }
        for (const other of others) open.push([...path.taken, other])
        await take(path, first)
      }
    } catch (error) {
      const rule = error instanceof Error ? error.message : String(error)
      return { states: seen.size, endings, complete: false, failure: { rule, path: path.taken } }
    }
  }
  return { states: seen.size, endings, complete: true }
}

async function start(habits: Partial<Habits>, bounds: Bounds, plant?: Plant): Promise<Path> {
  const base = profileOf(1, { replicas: 2, accounts: [''] })
  const all: Habits = { ...base.habits, ...habits, lifetime: LIFETIME }
  const profile: Profile = { ...base, habits: all, declaredReplay: all.replay }
  const world = createWorld(profile, { dice: still, plant })
  for (const { process } of world.replicas) process.history = ''
  const acts = createActs(world)
  void acts.connect(world.replicas[0] as Replica, '')
  await world.run(BEFORE_MS)
  for (const replica of world.replicas) void acts.get(replica, '')
  await world.run(10)
  const { requests, crashes, pauses, waits } = bounds
  return { world, acts, left: { requests, crashes, pauses, waits }, taken: [] }
}

async function take(path: Path, name: string): Promise<void> {
  const choice = choices(path).find(([other]) => other === name)
  if (choice === undefined) throw new Error(`"${name}" cannot happen here: the search is not deterministic`)
  path.taken.push(name)
  await choice[1]()
  await happenAtOnce(path.world)
  await path.world.check()
}

async function happenAtOnce({ scheduler }: World): Promise<void> {
  for (;;) {
    await scheduler.settle()
    const event = readyEvents(scheduler).find(({ label = '' }) => AT_ONCE.test(label))
    if (event === undefined) return
    await scheduler.fire(event)
  }
}

function readyEvents(scheduler: Scheduler): ScheduledEvent[] {
  const now = scheduler.now()
  return scheduler.pending().filter(({ at, owner }) => {
    const mayHappen = owner === undefined || (owner.alive && !owner.paused)
    return at <= now && mayHappen
  })
}

function choices({ world, acts, left }: Path): Choice[] {
  const { scheduler, replicas } = world
  const ready = readyEvents(scheduler)
  const list: Choice[] = ready.map((event, index) => [
    `${event.label} ${ready.slice(0, index).filter(({ label }) => label === event.label).length}`,
    () => scheduler.fire(event),
  ])
  for (const replica of replicas) list.push(...choicesOf(replica, acts, left))
  if (ready.length === 0 && left.waits > 0) {
    list.push(['time passes', () => waitUntilReady(world, left)])
  }
  return list
}

function choicesOf(replica: Replica, acts: Acts, left: Path['left']): Choice[] {
  const { process } = replica
  const letter = process.name[0]
  if (!process.alive) {
    const boot = () => {
      replica.boot()
      replica.process.history = ''
    }
    return [[`${letter} starts`, boot]]
  }
  const list: Choice[] = []
  if (process.paused) list.push([`${letter} goes on`, () => replica.resume()])
  const ask = () => {
    left.requests--
    void acts.get(replica, '', { minTtlMs: MIN_TTL_MS })
  }
  const die = () => {
    left.crashes--
    return replica.crash()
  }
  const pause = () => {
    left.pauses--
    replica.pause()
  }
  if (left.requests > 0 && !process.paused) list.push([`${letter} is asked`, ask])
  // Whoever does nothing may as well die or be paused later.
  if (!replica.isBusy() && !replica.isSending()) return list
  if (left.crashes > 0) list.push([`${letter} dies`, die])
  if (left.pauses > 0 && !process.paused) list.push([`${letter} is paused`, pause])
  return list
}

/** Lets time pass until there is something to choose again. */
async function waitUntilReady({ scheduler }: World, left: Path['left']): Promise<void> {
  left.waits--
  const ready = new Error('something can happen')
  const look = () => {
    if (readyEvents(scheduler).some(({ label = '' }) => !AT_ONCE.test(label))) throw ready
  }
  await scheduler.runUntil(scheduler.now() + WAIT_MS, look).catch(error => {
    if (error !== ready) throw error
  })
}

function signature({ world, left }: Path): string {
  const { truth, scheduler, replicas } = world
  const state = [
    left,
    scheduler.now(),
    truth.rows.map(row => `${describe(row)} ${row.attemptId}`),
    truth.server.state(),
    scheduler
      .pending()
      .map(({ at, label }) => `${at} ${label}`)
      .sort(),
    replicas.map(({ process, spool }) => [process, spool.commits.length]),
  ]
  return createHash('sha256').update(JSON.stringify(state)).digest('base64')
}

/** No chance at all: everything takes no time, and what is under way at a crash is lost. */
const still: Dice = {
  fraction: () => 0,
  between: () => 0,
  chance: () => false,
  pick: from => from[0] as (typeof from)[number],
  weighted: weights => Object.keys(weights)[0] as keyof typeof weights & string,
  shuffle: items => [...items],
  fork: () => still,
}
