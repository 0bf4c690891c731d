import { defineConfig } from 'vitest/config'

/** Clients of other languages need tools that `npm ci` does not install, so `npm test` does without them. */
export default defineConfig({
  test: {
    include: ['test/interop/**/*.interop.ts'],
    pool: 'forks',
    // Every call starts a program, and on a busy machine Python alone takes seconds to load gRPC.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
