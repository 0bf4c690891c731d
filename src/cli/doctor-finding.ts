/** One thing that the doctor looked at. Holds no secret. */
export interface Finding {
  /** A `problem` keeps the broker from working or from being safe; a `warning` will, or may. */
  readonly level: 'ok' | 'warning' | 'problem'
  readonly area: Area
  /** What is so, as a sentence without its full stop. */
  readonly what: string
  /** What to do, as a sentence; absent where nothing is to be done. */
  readonly advice?: string
}

/** Where to look, in the order in which it is printed. */
export const AREAS = [
  'program',
  'process',
  'configuration',
  'files',
  'store',
  'limits',
  'clock',
  'providers',
] as const

export type Area = (typeof AREAS)[number]

/** What makes the findings of one area. */
export interface Findings {
  ok(what: string): Finding
  warning(what: string, advice: string): Finding
  problem(what: string, advice: string): Finding
}

/** Names the area once. */
export function findingsIn(area: Area): Findings {
  return {
    ok: what => ({ level: 'ok', area, what }),
    warning: (what, advice) => ({ level: 'warning', area, what, advice }),
    problem: (what, advice) => ({ level: 'problem', area, what, advice }),
  }
}
