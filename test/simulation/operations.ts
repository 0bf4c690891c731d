import { createHash } from 'node:crypto'
import type { Dice } from './dice.ts'
import type { Process, Scheduler } from './scheduler.ts'

const LATENCY_MS_MAX = 8

/** What a process asks of its storage: each takes time, happens as a whole, and is answered later. */
export interface Operations {
  run<T>(label: string, effect: () => Promise<T>): Promise<T>
  /** How many have been asked for and not been answered. */
  size(): number
  /** The process has died: each operation that was asked for either happens now or never does. */
  crash(): Promise<void>
}

export interface OperationOptions {
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly process: Process
  /** Whether operations happen and are answered one after the other, as in a database within the process. */
  readonly inOrder: boolean
}

/** Creates the operations of one process. */
export function createOperations({ scheduler, dice, process, inOrder }: OperationOptions): Operations {
  const underWay = new Map<() => Promise<void>, () => void>()
  const earliest = { effect: 0, answer: 0 }
  let unanswered = 0

  function latency(of: keyof typeof earliest): number {
    const at = scheduler.now() + dice.between(0, LATENCY_MS_MAX)
    if (!inOrder) return at - scheduler.now()
    earliest[of] = Math.max(at, earliest[of])
    return earliest[of] - scheduler.now()
  }

  return {
    size: () => unanswered,
    run<T>(what: string, effect: () => Promise<T>): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      const label = `${process.name} ${what}`
      const answer = (say: () => void, result: unknown) => {
        const told = () => {
          unanswered--
          remember(process, what, result)
          say()
        }
        scheduler.after(latency('answer'), told, { owner: process, inOrder, label: `${label} answered` })
      }
      const happen = async () => {
        underWay.get(happen)?.()
        underWay.delete(happen)
        try {
          const result = await effect()
          answer(() => resolve(result), result)
        } catch (error) {
          answer(() => reject(error), 'error')
        }
      }
      unanswered++
      underWay.set(
        happen,
        scheduler.after(latency('effect'), () => void happen(), { label }),
      )
      return promise
    },
    async crash() {
      let alive = true
      for (const [happen, cancel] of [...underWay]) {
        // In order, what comes after a lost one is lost, too.
        alive = (alive || !inOrder) && dice.chance(0.5)
        if (alive) await happen()
        else cancel()
      }
      underWay.clear()
    },
  }
}

/** Notes what a process was told, if anybody compares. */
export function remember(process: Process, what: string, result: unknown): void {
  if (process.history === undefined) return
  const told = `${process.history} ${what} ${JSON.stringify(result)}`
  process.history = createHash('sha256').update(told).digest('base64')
}
