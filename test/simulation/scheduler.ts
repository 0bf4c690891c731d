import type { Dice } from './dice.ts'

/** Something that runs: the events of a dead one never happen, those of a paused one wait. */
export interface Process {
  readonly name: string
  alive: boolean
  paused: boolean
  /** What has been answered to it, where states have to be told apart: with that a process is determined. */
  history?: string
  /** When the store last refused to record a failure or a doubt for it, which is then tried again every second. */
  refusedAt?: number
}

/** What an event says about itself. */
export interface EventOptions {
  /** Whose event it is; absent = the world's (a provider, a database), which nobody pauses or kills. */
  readonly owner?: Process
  /** A timer that only looks whether there is something to do: it may be late when there is nothing. */
  readonly poll?: boolean
  /** Whether it keeps its place among its like when a paused process goes on. */
  readonly inOrder?: boolean
  /** Names the event where all of them are enumerated. */
  readonly label?: string
}

export interface ScheduledEvent extends EventOptions {
  at: number
  sequence: number
  readonly run: () => void
}

/** Virtual time: one queue of events for everything that happens in a simulation. */
export interface Scheduler {
  /** Milliseconds since the simulation began. */
  now(): number
  /** Lets something happen after that many milliseconds; the returned function takes it back. */
  after(ms: number, run: () => void, options?: EventOptions): () => void
  /** Lets time pass, up to and including `until`; `step` runs after each event. */
  runUntil(until: number, step: () => void | Promise<void>): Promise<void>
  /** Events of a paused process go on; those that waited come in any order. */
  resume(process: Process): void
  /** What may happen next, for those who choose themselves. */
  pending(): readonly ScheduledEvent[]
  /** Lets that event happen now; time moves on to it if it is later. */
  fire(event: ScheduledEvent): Promise<void>
  /** Lets everything run that needs no time. */
  settle(): Promise<void>
}

/**
 * Creates a scheduler.
 *
 * @param quietUntil until when polling finds nothing to do; polls before that are put off until then, so that
 *   idle hours cost nothing. A timer that is late is what every process has to live with anyway.
 */
export function createScheduler(dice: Dice, quietUntil: () => number): Scheduler {
  const queue: ScheduledEvent[] = []
  const waiting = new Map<Process, ScheduledEvent[]>()
  let time = 0
  let sequence = 0

  function insert(event: ScheduledEvent): void {
    let low = 0
    let high = queue.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = queue[middle] as ScheduledEvent
      if (other.at < event.at || (other.at === event.at && other.sequence < event.sequence)) low = middle + 1
      else high = middle
    }
    queue.splice(low, 0, event)
  }

  function remove(event: ScheduledEvent): void {
    const index = queue.indexOf(event)
    if (index >= 0) queue.splice(index, 1)
  }

  async function happen(event: ScheduledEvent): Promise<boolean> {
    time = Math.max(time, event.at)
    const { owner } = event
    if (owner !== undefined && !owner.alive) return false
    if (owner?.paused) {
      waiting.set(owner, [...(waiting.get(owner) ?? []), event])
      return false
    }
    event.run()
    await settle()
    return true
  }

  /** Puts off a poll that would find nothing; `undefined` if it is time for it. */
  function later(head: ScheduledEvent, until: number): number | undefined {
    if (!head.poll || head.owner?.paused || head.owner?.alive === false) return undefined
    const other = queue.find(event => !event.poll)?.at ?? until
    const at = Math.min(quietUntil(), other, until)
    return at > head.at ? at : undefined
  }

  return {
    now: () => time,
    after(ms, run, options = {}) {
      const event = { ...options, at: time + Math.max(0, ms), sequence: sequence++, run }
      insert(event)
      return () => {
        remove(event)
        const { owner } = options
        const held = owner && waiting.get(owner)
        if (owner && held)
          waiting.set(
            owner,
            held.filter(other => other !== event),
          )
      }
    },
    async runUntil(until, step) {
      await settle()
      await step()
      for (let head = queue[0]; head !== undefined && head.at <= until; head = queue[0]) {
        const at = later(head, until)
        queue.shift()
        if (at !== undefined) {
          head.at = at
          insert(head)
          continue
        }
        if (await happen(head)) await step()
      }
      time = Math.max(time, until)
    },
    resume(process) {
      const held = waiting.get(process) ?? []
      const ordered = held.filter(event => event.inOrder)
      const events = dice.shuffle(held).map(event => (event.inOrder ? (ordered.shift() ?? event) : event))
      waiting.delete(process)
      for (const event of events) {
        event.at = time
        event.sequence = sequence++
        insert(event)
      }
    },
    settle,
    pending: () => queue,
    async fire(event) {
      remove(event)
      await happen(event)
    },
  }
}

/** A turn of the event loop comes after all promises. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
