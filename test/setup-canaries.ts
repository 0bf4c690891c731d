import { afterAll, expect, vi } from 'vitest'
import { noteSecret, noteSink, takeFound } from './canaries.ts'

// Runs in each test file: the program's own notion of a secret, and its log, are looked at as they are used.

vi.mock('../src/secret.ts', async importOriginal => {
  const original = await importOriginal<typeof import('../src/secret.ts')>()
  class Secret extends original.Secret {
    constructor(value: string) {
      super(value)
      if (typeof value === 'string') noteSecret(value)
    }
  }
  return { Secret }
})

vi.mock('../src/telemetry/log.ts', async importOriginal => {
  const original = await importOriginal<typeof import('../src/telemetry/log.ts')>()
  const createLog: typeof original.createLog = (level, destination) =>
    original.createLog(
      level,
      destination && {
        write(line: string) {
          noteSink('the log', line)
          destination.write(line)
        },
      },
    )
  return { createLog }
})

// After every other hook of the file, which is when folders are looked at.
afterAll(() => {
  expect(takeFound()).toEqual([])
})
