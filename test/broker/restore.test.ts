import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRestoreWatch } from '../../src/broker/keys/restore-report.ts'
import { backUpDatabase } from '../../src/store/backup.ts'
import { databasePath, openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { tempDir } from '../store/temp-dir.ts'
import { createMachine } from './machine.ts'

const MINUTE = 60_000
const accounts = Array.from({ length: 12 }, (_, index) => `a${index}`)

/** A machine whose store is a file, of which an older copy was put back after half of the tokens were replaced. */
async function restored() {
  const dataDir = tempDir()
  const path = databasePath(dataDir)
  let store: SqliteStore = await openSqliteStore({ path })
  onTestFinished(() => store.close())
  const machine = createMachine({ definition: { replay: 'single_use' }, open: () => store })
  const first = await machine.run()
  for (const account of accounts) await first.connect({ account })
  const backup = join(tempDir(), 'backup.db')
  await backUpDatabase(dataDir, backup)
  await machine.clock.advance(31_000)
  const replaced = accounts.slice(0, 6)
  for (const account of replaced) await first.broker.refresh({ provider: 'acme', account })
  await first.broker.stop()
  await store.close()
  copyFileSync(backup, path)
  store = await openSqliteStore({ path })
  const before = machine.server.http.sent.length
  const count = await store.beginRestoreCheck({ now: machine.clock.now(), exempt: [], everyMs: 200 })
  return { machine, store, count, replaced, before }
}

describe('an accepted older copy', () => {
  it('is checked one by one; what was replaced since is lost, all else survives, and both are reported', async () => {
    const { machine, store, count, replaced, before } = await restored()
    expect(count).toBe(12)
    const process = await machine.run()
    const lines: string[] = []
    const log = {
      ...silent,
      warn: (message: string, fields?: object) => void lines.push(message, JSON.stringify(fields)),
    }
    const watch = createRestoreWatch({ store, clock: machine.clock, log })
    watch.start()
    expect((await watch.report())?.pending).toBe(12)
    await machine.clock.advance(1_000)
    // Five a second, and not one before its turn.
    expect(machine.server.http.sent.length - before).toBeLessThanOrEqual(6)
    await machine.clock.advance(90 * MINUTE)
    const report = await watch.report()
    expect(report).toMatchObject({ survived: 6, lost: 6, pending: 0 })
    expect(report?.lostConnections.map(({ account }) => account)).toEqual([...replaced].sort())
    const [account = ''] = replaced
    expect((await process.status({ account })).diagnosis).toMatch(
      /^the stored refresh token had been used already/,
    )
    expect(lines).toEqual(['All connections of the accepted copy are checked', '{"survived":6,"lost":6}'])
    expect(report?.reportedAt).toBeDefined()
    watch.stop()
    await process.broker.stop()
  })
})

const silent = { debug() {}, info() {}, warn() {}, error() {} }
