import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pageBytes } from '../../src/store/spool-format.ts'
import { openSpool, type SpoolDisk } from '../../src/store/spool-log.ts'
import { sampleSuccess } from './samples.ts'
import { sampleSpooled } from './spool-samples.ts'

/** The least that any disk writes at once. */
const sectorBytes = 512

const fileError = (code: string) => Object.assign(new Error(`secret-ish ${code}`), { code })

/**
 * A disk that a test can break: after `budget` more bytes it keeps nothing, and writes fail with that code. What
 * fits into one sector is written whole or not at all.
 */
class BreakableDisk implements SpoolDisk {
  readonly content: Buffer
  budget = Number.POSITIVE_INFINITY
  code = 'EIO'

  constructor(content: Buffer) {
    this.content = content
  }

  async read(): Promise<Buffer> {
    return Buffer.from(this.content)
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const torn = bytes.length > sectorBytes ? this.budget : 0
    const written = bytes.length <= this.budget ? bytes.length : torn
    this.content.set(bytes.subarray(0, written), offset)
    this.budget = written < bytes.length ? 0 : this.budget - written
    if (this.budget === 0) throw fileError(this.code)
  }

  async close(): Promise<void> {}
}

function commit(counter: number, pages = 1) {
  const sealedAccessToken = Buffer.alloc(Math.max(1, pages - 1) * 3_000, counter)
  return sampleSpooled({
    base: { id: 'c1', grantEpoch: 1, counter },
    outcome: sampleSuccess({ sealedAccessToken: pages > 1 ? sealedAccessToken : Buffer.from('short') }),
  })
}

const emptyDisk = () => new BreakableDisk(Buffer.alloc(16 * pageBytes))
const restart = (disk: BreakableDisk) => openSpool(new BreakableDisk(Buffer.from(disk.content)))

describe('append() on a disk that fails', () => {
  it.each([
    ['ENOSPC', 'full'],
    ['EDQUOT', 'full'],
    ['EIO', 'unavailable'],
  ])('with %s is %s, tells nothing of the cause, and keeps nothing', async (code, reason) => {
    const disk = emptyDisk()
    const spool = await openSpool(disk)
    Object.assign(disk, { budget: 100, code })
    const failed = spool.append(commit(1))
    await expect(failed).rejects.toMatchObject({ name: 'SpoolError', reason })
    await expect(failed).rejects.not.toThrow('secret-ish')
    expect(await spool.list()).toEqual({ commits: [], damaged: 0 })
  })

  it('keeps nothing of a record that was written whole and may not last', async () => {
    const disk = emptyDisk()
    const spool = await openSpool(disk)
    const { write } = disk
    disk.write = async (bytes, offset) => {
      await write.call(disk, bytes, offset)
      disk.write = write
      throw fileError('EIO')
    }
    await expect(spool.append(commit(1))).rejects.toMatchObject({ reason: 'unavailable' })
    expect(await (await restart(disk)).list()).toEqual({ commits: [], damaged: 0 })
  })

  it('leaves nothing behind the next, shorter record', async () => {
    const disk = emptyDisk()
    const spool = await openSpool(disk)
    disk.budget = 4 * pageBytes
    await expect(spool.append(commit(1, 5))).rejects.toThrow()
    disk.budget = Number.POSITIVE_INFINITY
    await spool.append(commit(2))
    expect(await (await restart(disk)).list()).toEqual({ commits: [commit(2)], damaged: 0 })
  })
})

describe('remove() on a disk that fails', () => {
  it.each([2, 4, 5, 100])('after %i bytes still lists the commit, and removes it later', async budget => {
    const disk = emptyDisk()
    const spool = await openSpool(disk)
    await spool.append(commit(1))
    disk.budget = budget
    const failed = spool.remove(commit(1).base)
    await expect(failed).rejects.toMatchObject({ name: 'SpoolError', reason: 'unavailable' })
    expect((await spool.list()).commits).toEqual([commit(1)])
    disk.budget = Number.POSITIVE_INFINITY
    await spool.remove(commit(1).base)
    expect(await (await restart(disk)).list()).toEqual({ commits: [], damaged: 0 })
    expect(disk.content).toEqual(Buffer.alloc(disk.content.length))
  })
})

describe('a process that ends at any byte of a write', () => {
  /** A positive number appends a commit of that many pages, a negative one removes the nth that is kept. */
  const steps = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 12 })

  it('loses nothing that was acknowledged and brings nothing back', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 60_000 }), async (numbers, budget) => {
        const disk = emptyDisk()
        const spool = await openSpool(disk)
        disk.budget = budget
        const kept = new Map<number, ReturnType<typeof commit>>()
        /** What the write under way may have brought or taken. */
        let open: number | undefined
        let isAppend = false
        for (const [counter, number] of numbers.entries()) {
          const target = number > 0 ? counter : [...kept.keys()][-number]
          if (target === undefined) continue
          open = target
          isAppend = number > 0
          const change =
            number > 0 ? spool.append(commit(counter, number)) : spool.remove(commit(target).base)
          const failure = await change.catch((error: unknown) => error)
          if (disk.budget === 0) break
          if (failure !== undefined) expect(failure).toMatchObject({ reason: 'full' })
          else if (number > 0) kept.set(counter, commit(counter, number))
          else kept.delete(target)
          open = undefined
        }
        const { commits, damaged } = await (await restart(disk)).list()
        const settled = commits.filter(({ base }) => base.counter !== open)
        expect(settled).toEqual([...kept.values()].filter(({ base }) => base.counter !== open))
        expect(damaged).toBeLessThanOrEqual(open !== undefined && isAppend ? 1 : 0)
      }),
      { numRuns: 500 },
    )
  })
})
