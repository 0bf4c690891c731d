import { inject } from 'vitest'

/**
 * How much is tried. `middle` is for every change and takes minutes; `full` is what the figures of
 * docs/chaos.md are measured with.
 */
export type Form = 'middle' | 'full'

/** The program under test. */
export interface Built {
  /** Its first file. */
  readonly main: string
  /** Where Node keeps what it has compiled, so that the thousandth start is quick. */
  readonly compileCache: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    readonly chaos: Form
    readonly built: Built
  }
}

/** The one that belongs to the form that runs. */
export function byForm<T>(choice: Readonly<Record<Form, T>>): T {
  return choice[inject('chaos')]
}

/** How much longer anything may take where other work shares the machine. */
const SHARED_MACHINE = 10

/**
 * What is asserted of a time that is promised on an idle machine, in milliseconds: the promise itself in the full
 * form, and in CI, whose cores others may use, no more than that nobody is starved.
 */
export function atMost(promisedMs: number): number {
  return promisedMs * byForm({ middle: SHARED_MACHINE, full: 1 })
}
