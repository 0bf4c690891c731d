import { expect } from 'vitest'
import type { AttackWorld } from './attack-world.ts'
import type { Seen } from './visitor.ts'

/** What is left of an attack beside its failure. */
interface Traces {
  /** Reasons that the audit must have. */
  readonly audit?: readonly string[]
  /** What the log must say. */
  readonly log?: RegExp
  /** Requests to a token endpoint. Default: 0. */
  readonly exchanges?: number
}

/** One attack on a consent; it checks by itself that it failed. */
export type Attack = readonly [name: string, run: (world: AttackWorld) => Promise<Traces>]

/** The browser stays where it is, on a page that says so. */
export function expectPage({ status, text, location }: Seen, expected: number, words: string): void {
  expect({ status, location }).toEqual({ status: expected, location: undefined })
  expect(text).toContain(words)
}

/** Titles of the two pages that most attacks end on. */
export const FOREIGN_BROWSER = 'Finish where you started'
export const NOTHING = 'There is nothing to finish here'
