import { expect, it } from 'vitest'
import { systemClock } from '../../src/cli/system-ports.ts'

it('systemClock tells whole milliseconds, which a column of integers takes', () => {
  expect(Number.isInteger(systemClock.now())).toBe(true)
  expect(Number.isInteger(systemClock.monotonic())).toBe(true)
})
