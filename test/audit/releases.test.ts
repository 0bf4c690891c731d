import { describe, expect, it } from 'vitest'
import { AuditError } from '../../src/audit/audit.ts'
import { createAudit } from '../../src/audit/releases.ts'
import { createFakeClock } from '../broker/fake-clock.ts'

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
  const created = createAudit({
    now: clock.now,
    schedule: clock.schedule,
    write: async releases => {
      if (broken) throw new Error('disk full')
      batches.push(releases.map(({ caller, count }) => ({ caller, count })))
    },
  })
  return { ...created, clock, batches, break: (value: boolean) => (broken = value) }
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
})
