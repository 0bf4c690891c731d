/** How much is tried: `short` with every `npm test`, `middle` in CI, `full` before a release. */
export type Form = 'short' | 'middle' | 'full'

/** What a run of the simulation is told from outside; absent = the short form. */
export interface SimulationRun {
  readonly form: Form
  /** The only seed to be run, and to be explained; absent = as many as the form has. */
  readonly seed?: number
  /** The first seed, so that other nights try other seeds; default 1. */
  readonly first?: number
}

declare module 'vitest' {
  export interface ProvidedContext {
    readonly simulation?: SimulationRun
  }
}
