import { describe, expect, it } from 'vitest'
import { VERIFIED_PER_CALLER_MAX } from '../../src/broker/policy/caller-limit.ts'
import { settle } from './fake-clock.ts'
import { createWorld } from './world.ts'

/** Within that time an answer is given again. */
const REUSED_MS = 5_000

const eager = { name: 'eager', authentication: 'static_token' }
const other = { name: 'other', authentication: 'static_token' }

/** A provider that verifies at the address of its token endpoint, so that the tests can script its answers. */
async function createVerifyingWorld(limits = { concurrency: 100, perSecond: 100_000 }) {
  const definition = { verify_url: 'https://as.example/token' }
  const world = await createWorld({ definition, provider: { limits } })
  await world.connect()
  const { server, status } = world
  return {
    ...world,
    sent: () => server.http.sent.length,
    verify: async (over: object = {}) => (await status({ verify: true, ...over })).verification?.result,
  }
}

describe('verifications that callers ask for', () => {
  it('are one request for all who ask at the same time, and for those who ask soon after', async () => {
    const { server, clock, sent, verify } = await createVerifyingWorld()
    const before = sent()
    const answer = Promise.withResolvers<void>()
    server.script.push(answer.promise)
    const asked = Array.from({ length: 1_000 }, () => verify())
    await settle()
    expect(sent()).toBe(before + 1)
    answer.resolve()
    expect(new Set(await Promise.all(asked)).size).toBe(1)
    await clock.advance(REUSED_MS - 1)
    await verify()
    expect(sent()).toBe(before + 1)
    await clock.advance(1)
    server.script.push({ status: 401 })
    expect(await verify()).toBe('REJECTED')
    expect(sent()).toBe(before + 2)
  })

  it('are made anew for a token that has replaced the one that was asked about', async () => {
    const { server, broker, name, verify } = await createVerifyingWorld()
    server.script.push({ status: 401 })
    expect(await verify()).toBe('REJECTED')
    expect((await broker.refresh(name)).refreshed).toBe(true)
    server.script.push({ status: 200, body: {} })
    expect(await verify()).toBe('VERIFIED')
  })

  it('wait behind a caller who needs a refresh', async () => {
    const { server, broker, connect, name, sent, status } = await createVerifyingWorld({
      concurrency: 1,
      perSecond: 100_000,
    })
    const accounts = ['a', 'b', 'c']
    for (const account of accounts) await connect({ account })
    const busy = Promise.withResolvers<void>()
    server.script.push(busy.promise)
    const before = sent()
    const asked = accounts.map(account => status({ account, verify: true }))
    await settle()
    const refresh = broker.refresh(name)
    await settle()
    busy.resolve()
    expect((await refresh).refreshed).toBe(true)
    await Promise.all(asked)
    const kinds = server.http.sent.slice(before).map(({ method }) => method)
    // The one that was being sent, then the refresh, then the others.
    expect(kinds).toEqual(['GET', 'POST', 'GET', 'GET'])
  })

  it('end at a limit of each caller, over all connections, which leaves others alone', async () => {
    const { connect, sent, verify } = await createVerifyingWorld()
    const accounts = Array.from({ length: VERIFIED_PER_CALLER_MAX + 1 }, (_, index) => String(index))
    for (const account of accounts) await connect({ account })
    for (const account of accounts.slice(0, -1)) await verify({ account, caller: eager })
    const before = sent()
    const account = accounts.at(-1)
    await expect(verify({ account, caller: eager })).rejects.toMatchObject({
      reason: 'RATE_LIMITED',
      details: { retryAfterMs: 1_000 },
    })
    expect(sent()).toBe(before)
    // What costs the provider nothing goes on.
    await verify({ account: accounts[0], caller: eager })
    await verify({ account, caller: other })
    await verify({ account, caller: eager })
    expect(sent()).toBe(before + 1)
  })
})
