import { describe, expect, it } from 'vitest'
import { PROVIDER } from './home.ts'
import { startProgram } from './program.ts'
import { report } from './report.ts'
import { traceProgram } from './strace.ts'
import { missingStrace, skipped } from './tools.ts'
import { accountNames, createWorld } from './world.ts'

const ACCOUNTS = accountNames(20)
const LIFETIME_MS = 3_600_000
/** The intent, and the tokens. */
const COMMITS_PER_REFRESH = 2

const missing = await missingStrace()

describe.skipIf(missing !== undefined)(`each durable commit${skipped(missing)}`, () => {
  it('is one fsync at least', async () => {
    const world = await createWorld({ replay: 'single_use' })
    const program = await startProgram(world.home)
    await world.connect(program, ACCOUNTS, LIFETIME_MS)
    const trace = await traceProgram(program, ['--trace=fsync,fdatasync', '--decode-fds=path'])
    for (const account of ACCOUNTS) {
      const { tokens } = program
      const { refreshed } = await program.call(tokens, tokens.refresh, { provider: PROVIDER, account })
      expect(refreshed).toBe(true)
    }
    const calls = await trace.stop()
    const syncs = calls.filter(({ text }) => text.includes(world.home.dataDir)).length
    const commits = world.refreshRequests() * COMMITS_PER_REFRESH
    report('fsyncs', { refreshes: world.refreshRequests(), commits, syncs })
    expect(commits).toBe(ACCOUNTS.length * COMMITS_PER_REFRESH)
    expect(syncs).toBeGreaterThanOrEqual(commits)
  })
})
