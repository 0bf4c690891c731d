import { env } from 'node:process'
import { defineConfig } from 'vitest/config'

/** How many stored values are changed at random (test/store/mutations.test.ts): `MUTATIONS=100000` is the full form. */
const mutations = Number(env.MUTATIONS ?? 3_000)

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // By itself vitest leaves one core idle, which of two is half: 197 s instead of 128 s.
    maxWorkers: '100%',
    setupFiles: ['test/setup-canaries.ts'],
    provide: { mutations },
    // Ends what hangs. Some tests start four processes, each of which takes seconds on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // How long what must happen may take, on any machine: no test measures speed. By itself vitest gives it 1 s.
    expect: { poll: { timeout: 10_000 } },
  },
})
