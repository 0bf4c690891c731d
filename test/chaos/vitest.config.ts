import { env } from 'node:process'
import { defineConfig } from 'vitest/config'
import type { Form } from './form.ts'

/** `CHAOS=full` runs as many rounds as the promises name; without it a few of each, for every change. */
const form: Form = env.CHAOS === 'full' ? 'full' : 'middle'

/** Real processes that are killed, stopped, starved and lied to, so `npm test` does without them. */
export default defineConfig({
  test: {
    include: ['test/chaos/**/*.chaos.ts'],
    globalSetup: ['test/chaos/build.ts'],
    provide: { chaos: form },
    pool: 'forks',
    // Some mostly wait for limits to pass; more than that at a time measure the machine instead.
    maxWorkers: 3,
    testTimeout: form === 'full' ? 3_600_000 : 240_000,
    hookTimeout: 60_000,
  },
})
