import { describe, expect, it } from 'vitest'
import type { Connection } from '../../src/broker/connection.ts'
import { createUsage } from '../../src/broker/renewal/usage.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from './fake-clock.ts'

type Uses = Parameters<Store['touchConnections']>[0]

function connectionOf(id: string): Connection {
  return { row: { id } } as unknown as Connection
}

function createStage(write: (uses: Uses) => Promise<void> = async () => {}) {
  const clock = createFakeClock(1_000)
  const written: Uses[] = []
  const warnings: string[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (message: string) => void warnings.push(message) }
  const store = {
    touchConnections(uses: Uses) {
      written.push(uses)
      return write(uses)
    },
  } as unknown as Store
  return { clock, written, warnings, usage: createUsage(store, clock, log) }
}

describe('usage', () => {
  it('is written once a minute, each connection once, and not at all without uses', async () => {
    const { clock, written, usage } = createStage()
    usage.touch(connectionOf('a'))
    await clock.advance(59_999)
    usage.touch(connectionOf('a'))
    usage.touch(connectionOf('b'))
    expect(written).toEqual([])
    await clock.advance(1)
    expect(written).toEqual([
      [
        { id: 'a', lastUsedAt: 60_999 },
        { id: 'b', lastUsedAt: 60_999 },
      ],
    ])
    await clock.advance(600_000)
    expect(written).toHaveLength(1)
  })

  it('is known at once, and still when it is written', async () => {
    const { clock, usage } = createStage()
    expect(usage.lastUsedOf('a')).toBeUndefined()
    usage.touch(connectionOf('a'))
    expect(usage.lastUsedOf('a')).toBe(1_000)
    await clock.advance(60_000)
    expect(usage.lastUsedOf('a')).toBe(1_000)
    usage.touch(connectionOf('a'))
    expect(usage.lastUsedOf('a')).toBe(61_000)
  })

  it('is written with what came later where the store did not take it', async () => {
    let isAway = true
    const { clock, written, usage } = createStage(async () => {
      if (isAway) throw new Error('away')
    })
    usage.touch(connectionOf('a'))
    usage.touch(connectionOf('b'))
    await clock.advance(60_000)
    isAway = false
    usage.touch(connectionOf('b'))
    await clock.advance(60_000)
    expect(written.at(-1)).toEqual([
      { id: 'a', lastUsedAt: 1_000 },
      { id: 'b', lastUsedAt: 61_000 },
    ])
    await clock.advance(600_000)
    expect(written).toHaveLength(2)
  })

  it('is known although the store does not take it', async () => {
    const { clock, usage, warnings } = createStage(() => Promise.reject(new Error('away')))
    usage.touch(connectionOf('a'))
    await clock.advance(60_000)
    expect(usage.lastUsedOf('a')).toBe(1_000)
    expect(warnings).toHaveLength(1)
  })

  it('of the 100,000 connections used last is remembered', async () => {
    const { usage } = createStage()
    for (let i = 0; i < 100_001; i++) usage.touch(connectionOf(`c${i}`))
    await usage.flush()
    expect(usage.lastUsedOf('c0')).toBeUndefined()
    expect(usage.lastUsedOf('c1')).toBe(1_000)
  })
})
