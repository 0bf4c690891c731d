import { describe, expect, it } from 'vitest'
import { createGroupWriter } from '../../src/audit/group-writer.ts'

describe('createGroupWriter()', () => {
  it('writes together what comes while a write takes, and one at a time', async () => {
    const batches: number[][] = []
    let running = 0
    const write = createGroupWriter<number>({
      schedule: () => () => {},
      async write(items) {
        expect(++running).toBe(1)
        batches.push([...items])
        await new Promise(setImmediate)
        running--
      },
    })
    const first = [1, 2].map(write)
    await Promise.resolve()
    await Promise.resolve()
    await Promise.all([...first, write(3), write(4)])
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it('refuses at once what is too much to wait', async () => {
    const hung = new Promise<void>(() => {})
    const write = createGroupWriter<number>({ schedule: () => () => {}, write: () => hung })
    void write(0)
    await new Promise(setImmediate)
    for (let i = 0; i < 10_000; i++) void write(i)
    await expect(write(1)).rejects.toMatchObject({ cause: { message: 'too many records wait' } })
  })
})
