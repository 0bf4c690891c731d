import { env } from 'node:process'
import { defineConfig } from 'vitest/config'
import type { Form } from './forms.ts'

/**
 * The simulation at length: `SIMULATION=full` tries 100,000 seeds, else 2,000. `SEED=…` runs that one and prints what
 * happened in it; `FIRST_SEED=…` begins elsewhere than at 1.
 */
const form: Form = env.SIMULATION === 'full' ? 'full' : 'middle'
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text))

export default defineConfig({
  test: {
    include: ['test/simulation/**/*.test.ts'],
    pool: 'forks',
    provide: { simulation: { form, seed: number(env.SEED), first: number(env.FIRST_SEED) } },
    // 100,000 seeds take about an hour on one core.
    testTimeout: 4 * 3_600_000,
  },
})
