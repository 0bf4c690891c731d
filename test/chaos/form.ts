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
