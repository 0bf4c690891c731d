import { describe, expect, it } from 'vitest'
import type { WireAnswer } from '../oauth/fake-http.ts'
import { fillStore } from './faults.ts'
import { createMachine } from './machine.ts'
import type { Replay } from './scripted-grants.ts'
import { acted } from './scripted-server.ts'

const HOUR = 3_600_000

/** A running broker whose only connection has just expired. */
async function createExpired() {
  const machine = createMachine()
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  return { ...machine, ...process, process }
}

/** The server acts, and that is missing from its answer or replaced in it. */
const changed =
  (over: object) =>
  (act: () => WireAnswer): WireAnswer => {
    const { status, body } = act()
    return { status, body: { ...(body as object), ...over } }
  }

describe('an answer with a refresh token and no usable access token', () => {
  it.each(['single_use', 'single_use_family'] as Replay[])(
    'does not lose the refresh token, which brings an access token at once: %s',
    async replay => {
      const { clock, server, token, status } = await createExpired()
      server.replay = replay
      server.script.push(acted.withoutAccessToken)
      expect(await token()).toBe('PROVIDER_UNAVAILABLE')
      expect(await status()).toMatchObject({ state: 'ACTIVE', consecutiveFailures: 1 })
      await clock.advance(1_000)
      expect(await token()).toBe('at-3')
      expect(await status()).toMatchObject({ healthy: true })
    },
  )

  it('several times in a row, never loses it', async () => {
    const { clock, server, token } = await createExpired()
    server.always = acted.withoutAccessToken
    await clock.advance(60_000)
    server.always = undefined
    await clock.advance(35_000)
    expect(await token()).toMatch(/^at-/)
    expect(server.accepts(server.current())).toBe(true)
  })

  it('survives a crash right after it', async () => {
    const { clock, server, token, crash, run } = await createExpired()
    server.script.push(acted.withoutAccessToken)
    await token()
    crash()
    const restarted = await run()
    await clock.advance(1_000)
    expect(await restarted.token()).toBe('at-3')
  })

  it('is spooled while the disk is full, and used when it is not', async () => {
    const { clock, server, token, process, status } = await createExpired()
    const mend = fillStore(process, 'keepRefreshToken', 'commitRefresh')
    server.script.push(acted.withoutAccessToken)
    const before = server.http.sent.length
    expect(await token()).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(20_000)
    // Whatever is due, a refresh token that is not stored is not spent.
    expect(server.http.sent).toHaveLength(before + 1)
    expect((await process.spool.list()).commits).toHaveLength(1)
    mend()
    await clock.advance(10_000)
    expect(await token()).toBe('at-3')
    expect(await status()).toMatchObject({ healthy: true })
    expect((await process.spool.list()).commits).toEqual([])
  })

  it('is spooled while the disk is full, and used by the next run', async () => {
    const { clock, server, token, process, crash, run } = await createExpired()
    fillStore(process, 'keepRefreshToken', 'commitRefresh')
    server.script.push(acted.withoutAccessToken)
    await token()
    crash()
    const restarted = await run()
    await clock.advance(1_000)
    expect(await restarted.token()).toBe('at-3')
  })
})

describe('an answer whose other parts make no sense', () => {
  it.each<[string, object]>([
    ['an expiry that is no number', { expires_in: 'soon' }],
    ['an expiry in the past', { expires_in: -1 }],
    ['an expiry beyond all dates', { expires_in: 1e300 }],
    ['scopes that are no text', { scope: { a: 1 } }],
    ['an account that is no text', { account: ['x'] }],
    ['a token type that is no text', { token_type: null }],
  ])('is used for what it brings: %s', async (_, over) => {
    const { server, token, status } = await createExpired()
    server.script.push(changed(over))
    expect(await token()).toBe('at-2')
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('keeps the stored refresh token if the new one cannot be read', async () => {
    const { clock, server, token } = await createExpired()
    server.replay = 'same'
    server.script.push(changed({ refresh_token: { broken: true } }))
    expect(await token()).toBe('at-2')
    clock.jump(HOUR)
    expect(await token()).toBe('at-3')
  })
})
