import { describe, expect, it } from 'vitest'
import { AuditError } from '../../src/audit/audit.ts'
import { WRITE_MS_MAX } from '../../src/audit/group-writer.ts'
import { createReleases } from '../../src/audit/releases.ts'
import { createFakeClock, settle } from '../broker/fake-clock.ts'

const release = {
  caller: 'ads',
  authentication: 'static_token',
  connectionId: 'c1',
  provider: 'acme',
  account: '',
  version: 'v1',
  fingerprint: 'f',
}

function audit() {
  const clock = createFakeClock()
  const batches: { readonly caller: string; readonly count: number }[][] = []
  let broken = false
  let hung: Promise<void> | undefined
  const created = createReleases({
    now: clock.now,
    schedule: clock.schedule,
    write: async releases => {
      await hung
      if (broken) throw new Error('disk full')
      batches.push(releases.map(({ caller, count }) => ({ caller, count })))
    },
  })
  return {
    ...created,
    clock,
    batches,
    break: (value: boolean) => (broken = value),
    /** Lets writes wait until the returned function is called. */
    hang() {
      const { promise, resolve } = Promise.withResolvers<void>()
      hung = promise
      return () => {
        hung = undefined
        resolve()
      }
    },
  }
}

describe('recordRelease()', () => {
  it('has written a first release when it resolves, and shares the commit of those that come together', async () => {
    const { recordRelease, batches } = audit()
    await Promise.all([recordRelease(release), recordRelease({ ...release, caller: 'other' })])
    expect(batches).toEqual([
      [
        { caller: 'ads', count: 1 },
        { caller: 'other', count: 1 },
      ],
    ])
  })

  it('refuses a first release that cannot be written, and writes it the next time', async () => {
    const broken = audit()
    broken.break(true)
    await expect(broken.recordRelease(release)).rejects.toBeInstanceOf(AuditError)
    broken.break(false)
    await broken.recordRelease(release)
    expect(broken.batches).toEqual([[{ caller: 'ads', count: 1 }]])
  })

  it('goes on for what is recorded while nothing can be written', async () => {
    const broken = audit()
    await broken.recordRelease(release)
    broken.break(true)
    await broken.recordRelease(release)
    await expect(broken.recordRelease({ ...release, version: 'v2' })).rejects.toBeInstanceOf(AuditError)
  })

  it('counts repeats and writes them in summary, losing none to a failed summary', async () => {
    const counted = audit()
    for (let i = 0; i < 3; i++) await counted.recordRelease(release)
    expect(counted.batches).toHaveLength(1)
    counted.break(true)
    await counted.clock.advance(60_000)
    counted.break(false)
    await counted.recordRelease(release)
    await counted.flush()
    expect(counted.batches[1]).toEqual([{ caller: 'ads', count: 3 }])
  })

  it('writes a long summary in parts that let others in, and loses none to a part that fails', async () => {
    const { recordRelease, flush, clock, batches, break: fail } = audit()
    const callers = Array.from({ length: 1_200 }, (_, index) => String(index))
    const record = () => Promise.all(callers.map(caller => recordRelease({ ...release, caller })))
    await record()
    await record()
    batches.splice(0)
    const flushed = flush()
    await settle()
    expect(batches.map(({ length }) => length)).toEqual([500])
    fail(true)
    const refused = expect(flushed).rejects.toThrow('disk full')
    await clock.advance(0)
    await refused
    fail(false)
    await clock.advance(60_000)
    await clock.advance(0)
    expect(batches.map(({ length }) => length)).toEqual([500, 500, 200])
    expect(new Set(batches.flat().map(({ caller }) => caller)).size).toBe(callers.length)
  })

  it('refuses first releases within a second while the store hangs, and records again when it does not', async () => {
    const slow = audit()
    const goOn = slow.hang()
    const first = slow.recordRelease(release)
    await slow.clock.advance(1)
    const second = slow.recordRelease({ ...release, caller: 'other' })
    const refused = [expect(first).rejects, expect(second).rejects].map(it => it.toBeInstanceOf(AuditError))
    await slow.clock.advance(WRITE_MS_MAX)
    expect(WRITE_MS_MAX).toBeLessThan(1_000)
    await Promise.all(refused)
    goOn()
    await slow.recordRelease({ ...release, caller: 'third' })
    // What had not been begun when its caller was refused is not written.
    expect(slow.batches).toEqual([[{ caller: 'ads', count: 1 }], [{ caller: 'third', count: 1 }]])
  })

  it('goes on for what is recorded while the store hangs', async () => {
    const slow = audit()
    await slow.recordRelease(release)
    slow.hang()
    await slow.recordRelease(release)
  })
})
