import { describe, expect, it } from 'vitest'
import { type AuditEntry, AuditError } from '../../src/audit/audit.ts'
import { createAudit } from '../../src/audit/create-audit.ts'
import { WRITE_MS_MAX } from '../../src/audit/group-writer.ts'
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

function world() {
  const clock = createFakeClock()
  const written: AuditEntry[] = []
  const lines: string[] = []
  const fault: { error?: Error; hang?: Promise<void> } = {}
  const store = {
    async recordReleases() {
      await fault.hang
      if (fault.error) throw fault.error
    },
    async addAuditRecords(entries: readonly AuditEntry[]) {
      await fault.hang
      if (fault.error) throw fault.error
      written.push(...entries)
    },
  }
  const log = {
    info: (line: string) => void lines.push(line),
    error: (line: string) => void lines.push(line),
  }
  const audit = createAudit({ store, now: clock.now, schedule: clock.schedule, log })
  return { audit, clock, written, lines, fault, events: () => written.map(({ event }) => event) }
}

describe('record()', () => {
  it('is durable when it resolves', async () => {
    const { audit, written, clock } = world()
    await audit.record({ event: 'KEYS_ROTATED' })
    expect(written).toMatchObject([{ event: 'KEYS_ROTATED', time: clock.now() }])
  })

  it('refuses if it cannot be written, and says so once', async () => {
    const { audit, fault, lines } = world()
    fault.error = new Error('disk full')
    for (let i = 0; i < 3; i++)
      await expect(audit.record({ event: 'KEYS_ROTATED' })).rejects.toThrow(AuditError)
    fault.error = undefined
    await audit.record({ event: 'KEYS_ROTATED' })
    expect(lines).toEqual([expect.stringContaining('cannot be written'), 'The audit is written again'])
    expect(audit.trouble()).toBeUndefined()
  })

  it('finds out by itself that it can be written again, and records since when it could not', async () => {
    const { audit, fault, clock, written } = world()
    fault.error = new Error('disk full')
    await expect(audit.recordRelease(release)).rejects.toThrow(AuditError)
    const since = clock.now()
    expect(audit.trouble()).toBe('the audit cannot be written')
    await clock.advance(60_000)
    expect(audit.trouble()).toBeDefined()
    fault.error = undefined
    await clock.advance(1_000)
    expect(audit.trouble()).toBeUndefined()
    expect(written).toMatchObject([{ event: 'AUDIT_INTERRUPTED', time: since }])
  })

  it('refuses within a second if the store hangs', async () => {
    const { audit, fault, clock } = world()
    fault.hang = new Promise(() => {})
    const refused = expect(audit.record({ event: 'KEYS_ROTATED' })).rejects.toThrow(AuditError)
    await clock.advance(WRITE_MS_MAX)
    await refused
  })
})

describe('note()', () => {
  it('is written soon, several in one write', async () => {
    const { audit, events } = world()
    audit.note({ event: 'BROKER_STARTED' })
    audit.note({ event: 'REFRESH_FORCED' })
    await settle()
    expect(events()).toEqual(['BROKER_STARTED', 'REFRESH_FORCED'])
  })

  it('is kept while nothing can be written, and tried again by itself', async () => {
    const { audit, fault, clock, events } = world()
    fault.error = new Error('disk full')
    audit.note({ event: 'BROKER_STARTED' })
    await clock.advance(10_000)
    audit.note({ event: 'REFRESH_FORCED' })
    fault.error = undefined
    await clock.advance(1_000)
    expect(events()).toEqual(['BROKER_STARTED', 'AUDIT_INTERRUPTED', 'REFRESH_FORCED'])
  })

  it('keeps a bounded number, and records how many were lost', async () => {
    const { audit, fault, clock, written } = world()
    fault.error = new Error('disk full')
    for (let i = 0; i < 10_005; i++) audit.note({ event: 'REFRESH_FORCED', count: i + 1 })
    fault.error = undefined
    await clock.advance(1_000)
    expect(written[0]).toMatchObject({ event: 'AUDIT_RECORDS_LOST', count: 5 })
    expect(written[1]).toMatchObject({ count: 6 })
    expect(written).toHaveLength(10_001)
  })
})

describe('countRefresh()', () => {
  it('writes one number an hour for each provider and outcome', async () => {
    const { audit, clock, written } = world()
    for (let i = 0; i < 5; i++) audit.countRefresh('acme', 'SUCCEEDED')
    audit.countRefresh('acme', 'FAILED')
    await clock.advance(3_599_999)
    expect(written).toEqual([])
    await clock.advance(1)
    expect(written).toMatchObject([
      { event: 'REFRESHES_COUNTED', provider: 'acme', outcome: 'SUCCEEDED', count: 5 },
      { event: 'REFRESHES_COUNTED', provider: 'acme', outcome: 'FAILED', count: 1 },
    ])
  })
})

describe('flush()', () => {
  it('writes what is only counted so far', async () => {
    const { audit, events } = world()
    audit.countRefresh('acme', 'SUCCEEDED')
    audit.recordDenial({ reason: 'ACCESS_DENIED', method: 'Refresh' })
    audit.recordDenial({ reason: 'ACCESS_DENIED', method: 'Refresh' })
    await audit.recordRelease(release)
    await audit.flush()
    expect(events()).toEqual(['CALL_DENIED', 'CALL_DENIED', 'REFRESHES_COUNTED'])
  })

  it('says if it cannot', async () => {
    const { audit, fault } = world()
    fault.error = new Error('disk full')
    audit.note({ event: 'BROKER_STOPPED' })
    await expect(audit.flush()).rejects.toThrow('disk full')
  })
})
