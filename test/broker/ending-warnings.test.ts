import { describe, expect, it } from 'vitest'
import { createEndingWarnings } from '../../src/broker/renewal/ending-warnings.ts'
import { grantedRow } from '../../src/store/connection-changes.ts'
import { StoreError } from '../../src/store/store.ts'
import { sampleGrant } from '../store/samples.ts'
import { createFakeClock, settle } from './fake-clock.ts'
import { createMachine, type LogLine } from './machine.ts'
import { answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const isWarning = ({ message }: LogLine) => /ends? soon|lapses soon/.test(message)

/** A process that starts at a time; those before it have stopped, so that the clock has not jumped for it. */
async function createSliding() {
  const refresh = { refresh_lifetime: { of: '60d', kind: 'sliding' } }
  const machine = createMachine({ definition: { refresh } })
  const first = await machine.run()
  await first.connect()
  await first.broker.stop()
  return machine
}

describe('a refresh token that nothing prolongs, because the client secret is refused', () => {
  it('is warned of before it lapses, in the log, once, and in the status', async () => {
    const { clock, server, run } = await createSliding()
    server.always = answers.wrongClient
    clock.jump(45 * DAY)
    const early = await run()
    await clock.advance(2 * MINUTE)
    expect(early.log.filter(isWarning)).toEqual([])
    expect((await early.status()).diagnosis).not.toMatch(/lapses/)
    await early.broker.stop()

    clock.jump(2 * DAY)
    const { log, status, broker } = await run()
    await clock.advance(HOUR)
    const fields = { provider: 'acme', account: '', ends: '2026-03-02T00:00:00.000Z' }
    expect(log.filter(isWarning)).toEqual([
      {
        level: 'warn',
        message: 'The refresh token lapses soon unless a refresh succeeds',
        fields: { ...fields, failures: expect.any(Number) },
      },
    ])
    expect(await status()).toMatchObject({
      state: 'PROVIDER_MISCONFIGURED',
      diagnosis: expect.stringMatching(/; the refresh token lapses on 2026-03-02 unless a refresh succeeds/),
    })
    await broker.stop()
  })

  it('is nothing to warn of while refreshes prolong it', async () => {
    const { clock, run } = await createSliding()
    clock.jump(47 * DAY)
    const { log, status, broker } = await run()
    await clock.advance(2 * MINUTE)
    expect(log.filter(isWarning)).toEqual([])
    expect((await status()).diagnosis).toBe('working; nothing to do')
    await broker.stop()
  })
})

/** Warnings over stored grants that end in ten days. */
function createWatch(count: number) {
  const clock = createFakeClock()
  const log: LogLine[] = []
  const grantExpiresAt = clock.now() + 10 * DAY
  const rows = Array.from({ length: count }, (_, index) => {
    const account = String(index).padStart(5, '0')
    const row = grantedRow(sampleGrant({ id: `c${index}`, account, grantExpiresAt }), undefined)
    if (row === undefined) throw new Error('the sample was not granted')
    return row
  })
  const store = {
    listConnections: async ({ after, limit }: { after?: { account: string }; limit: number }) =>
      rows.filter(({ account }) => account > (after?.account ?? '')).slice(0, limit),
  }
  const note = (level: LogLine['level']) => (message: string, fields?: LogLine['fields']) =>
    void log.push({ level, message, fields })
  const sink = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  return { clock, log, rows, store, warnings: createEndingWarnings({ store, clock, log: sink }) }
}

describe('createEndingWarnings()', () => {
  it('says it once a day of each connection, whoever asks', async () => {
    const { clock, log, rows, warnings } = createWatch(1)
    const [row] = rows
    if (row === undefined) throw new Error('no sample')
    warnings.consider(row)
    warnings.consider(row)
    expect(log).toHaveLength(1)
    await clock.advance(DAY - 1)
    warnings.consider(row)
    expect(log).toHaveLength(1)
    await clock.advance(1)
    warnings.consider(row)
    expect(log).toHaveLength(2)
  })

  it('looks at all that are stored, names a hundred, and counts the others', async () => {
    const { clock, log, warnings } = createWatch(450)
    warnings.start()
    await clock.advance(MINUTE - 1)
    expect(log).toEqual([])
    await clock.advance(SECOND)
    expect(log).toHaveLength(101)
    expect(log.at(-1)?.fields).toEqual({ count: 350 })
    await warnings.stop()
  })

  it('looks again later where the store could not be read', async () => {
    const { clock, log, store, warnings } = createWatch(1)
    const { listConnections } = store
    store.listConnections = async () => {
      throw new StoreError('unavailable', 'the disk is gone')
    }
    warnings.start()
    await clock.advance(2 * MINUTE)
    expect(log).toEqual([])
    store.listConnections = listConnections
    await clock.advance(6 * HOUR)
    expect(log).toHaveLength(1)
    await warnings.stop()
  })

  it('stops in the midst of a look', async () => {
    const { clock, log, warnings } = createWatch(450)
    warnings.start()
    await clock.advance(MINUTE)
    await settle()
    await warnings.stop()
    await clock.advance(DAY)
    expect(log.length).toBeLessThanOrEqual(101)
  })
})
