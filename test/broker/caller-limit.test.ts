import { describe, expect, it } from 'vitest'
import { FORCED_PER_CALLER_MAX } from '../../src/broker/policy/caller-limit.ts'
import { createWorld } from './world.ts'

const caller = { name: 'eager', authentication: 'static_token' }
const other = { name: 'other', authentication: 'static_token' }

describe('refreshes that one caller forces', () => {
  it('end at a limit over all connections, by Refresh and by rejected tokens alike, and leave others alone', async () => {
    const { connect, broker, name, server } = await createWorld({
      provider: { limits: { concurrency: 100, perSecond: 100_000 } },
    })
    const accounts = Array.from({ length: FORCED_PER_CALLER_MAX + 1 }, (_, index) => String(index))
    for (const account of accounts) await connect({ account })
    const get = (account: string, who: typeof caller, rejectedVersion?: string) =>
      broker.getAccessToken({ ...name, account, caller: who, rejectedVersion, requiredScopes: [] })
    for (const account of accounts.slice(0, -1)) {
      expect((await broker.refresh({ ...name, account, caller })).refreshed).toBe(true)
    }
    const [first = '', last = ''] = [accounts[0], accounts.at(-1)]
    const before = server.http.sent.length
    const limited = { reason: 'RATE_LIMITED', details: { retryAfterMs: 100 } }
    await expect(broker.refresh({ ...name, account: last, caller })).rejects.toMatchObject(limited)
    const { version } = await get(last, caller)
    await expect(get(last, caller, version)).rejects.toMatchObject(limited)
    expect(server.http.sent).toHaveLength(before)

    // What costs the provider nothing goes on: good tokens, and the last result of a connection.
    expect((await broker.refresh({ ...name, account: first, caller })).refreshed).toBe(false)
    expect((await get(last, other, version)).version).not.toBe(version)
    // Whoever was refused has not used up the connection's turn.
    expect((await broker.refresh({ ...name, account: last, caller: other })).refreshed).toBe(true)
  })
})
