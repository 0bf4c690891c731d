import type { Verdict } from './holdings.ts'

/** Prints a figure, as docs/chaos.md quotes them. */
export function report(what: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  process.stdout.write(`[chaos] ${what}: ${text.join(', ')}\n`)
}

/** How many accounts of each kind. */
export function countsOf({ lost, silent, falselyReported }: Verdict): Record<string, number> {
  return { lost: lost.length, silent: silent.length, falselyReported: falselyReported.length }
}

export function secondsSince(began: number): string {
  return `${((performance.now() - began) / 1_000).toFixed(1)} s`
}

export function mean(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  return Number((sum / Math.max(1, values.length)).toFixed(1))
}

export function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
