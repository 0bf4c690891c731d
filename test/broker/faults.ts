import { SpoolError } from '../../src/store/spool.ts'
import { StoreError } from '../../src/store/store.ts'
import type { Process } from './machine.ts'

type Methods = Record<string, unknown>

/** Makes methods fail until they are mended. */
function breakMethods(target: object, names: readonly string[], failure: () => Error): () => void {
  const methods = target as Methods
  const whole = { ...methods }
  for (const name of names) {
    methods[name] = async () => {
      throw failure()
    }
  }
  return () => {
    for (const name of names) methods[name] = whole[name]
  }
}

const isRead = (name: string) => /^(find|list|count|has|clockMark)/.test(name)
const isLocal = (name: string) => ['onForeignChange', 'close'].includes(name)
const namesOf = (target: object) => Object.keys(target).filter(name => !isLocal(name))

/** The store can be read and not written, or those of its methods fail that are named. Returns what mends it. */
export function fillStore({ store }: Process, ...only: (keyof Process['store'])[]): () => void {
  const names = only.length > 0 ? only : namesOf(store).filter(name => !isRead(name))
  return breakMethods(store, names, () => new StoreError('full', 'the disk is full'))
}

/** The store answers nothing. Returns what mends it. */
export function loseStore({ store }: Process): () => void {
  return breakMethods(store, namesOf(store), () => new StoreError('unavailable', 'the database is away'))
}

/** The spool takes nothing. Returns what mends it. */
export function fillSpool({ spool }: Process): () => void {
  return breakMethods(spool, ['append'], () => new SpoolError('full', 'the spool is full'))
}

/** The process dies when it calls that method of its store: before the store has done it, or right after. */
export function dieAt(
  process: Process,
  name: keyof Process['store'],
  when: 'before' | 'after' = 'before',
): void {
  const methods = process.store as unknown as Record<string, (...input: unknown[]) => Promise<unknown>>
  const method = methods[name]
  methods[name] = async (...input) => {
    if (when === 'after') await method?.(...input)
    process.crash()
    return new Promise(() => {})
  }
}

/** How many calls of a store are under way, and how many there were. */
export function countPending({ store }: Process): { (): number; readonly sum: () => number } {
  let pending = 0
  let sum = 0
  const methods = store as unknown as Record<string, (...input: unknown[]) => unknown>
  for (const [name, method] of Object.entries(methods)) {
    methods[name] = (...input) => {
      sum++
      const answer = method(...input)
      if (!(answer instanceof Promise)) return answer
      pending++
      return answer.finally(() => pending--)
    }
  }
  return Object.assign(() => pending, { sum: () => sum })
}
