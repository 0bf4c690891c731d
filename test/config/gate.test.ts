import { describe, expect, it } from 'vitest'
import { createGate } from '../../src/config/gate.ts'

describe('createGate()', () => {
  it('runs at most so many at once, in the order they came, and all of them', async () => {
    const gate = createGate(3)
    const started: number[] = []
    let running = 0
    let most = 0
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        gate(async () => {
          started.push(index)
          most = Math.max(most, ++running)
          await new Promise(resolve => setImmediate(resolve))
          running--
          return index
        }),
      ),
    )
    expect(most).toBe(3)
    expect(started).toEqual(results)
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => index))
  })

  it('lets the next one in after a failure', async () => {
    const gate = createGate(1)
    const failed = gate(() => Promise.reject(new Error('no')))
    const next = gate(async () => 'in')
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('in')
    expect(await gate(async () => 'again')).toBe('again')
  })
})
