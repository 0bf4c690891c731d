import { describe, expect, it } from 'vitest'
import { startRetention } from '../../src/audit/retention.ts'
import { createFakeClock } from '../broker/fake-clock.ts'

function world(removals: (number | Error)[]) {
  const clock = createFakeClock()
  const cutoffs: number[] = []
  const lines: string[] = []
  const end = startRetention({
    store: {
      async pruneAudit(before) {
        cutoffs.push(before)
        const removed = removals.shift() ?? 0
        if (removed instanceof Error) throw removed
        return removed
      },
    },
    retentionMs: 1_000,
    now: clock.now,
    schedule: clock.schedule,
    log: {
      info: (line, fields) => void lines.push(`${line} ${fields?.records}`),
      warn: line => void lines.push(line),
    },
  })
  return { clock, cutoffs, lines, end }
}

describe('startRetention()', () => {
  it('removes in batches until nothing is too old, then once an hour', async () => {
    const { clock, cutoffs, lines } = world([1_000, 1_000, 7])
    await clock.advance(59_999)
    expect(cutoffs).toEqual([])
    await clock.advance(2_000)
    expect(cutoffs).toHaveLength(4)
    expect(cutoffs[0]).toBe(clock.now() - 1_999 - 1_000)
    expect(lines).toEqual(['Removed old audit records 2007'])
    await clock.advance(3_600_000)
    expect(cutoffs).toHaveLength(5)
  })

  it('says that it could not, and tries again', async () => {
    const { clock, cutoffs, lines } = world([new Error('busy')])
    await clock.advance(60_000)
    expect(lines).toEqual([expect.stringContaining('Could not remove')])
    await clock.advance(3_600_000)
    expect(cutoffs).toHaveLength(2)
  })

  it('ends', async () => {
    const { clock, cutoffs, end } = world([])
    end()
    await clock.advance(10_000_000)
    expect(cutoffs).toEqual([])
  })
})
