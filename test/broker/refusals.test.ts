import { describe, expect, it } from 'vitest'
import { answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000
const reason = (value: string) => expect.objectContaining({ reason: value })

describe('getAccessToken()', () => {
  it('does not take two refusals within seconds for a dead grant', async () => {
    const { connect, get, server, status, broker, name, clock } = await createWorld()
    await connect()
    const rejectedVersion = (await get()).version
    server.script.push(answers.refused, answers.refused)
    await expect(get({ rejectedVersion })).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    await expect(get({ rejectedVersion })).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    await broker.refresh(name)
    expect(await status()).toMatchObject({ state: 'ACTIVE', lastError: { class: 'reauthorize' } })
    await clock.advance(30_000)
    server.script.push(answers.refused)
    await expect(get({ rejectedVersion })).rejects.toEqual(reason('REAUTH_REQUIRED'))
    for (let i = 0; i < 5; i++)
      await expect(get({ rejectedVersion })).rejects.toEqual(reason('REAUTH_REQUIRED'))
  })

  it('causes one refresh for a rejected version while refreshes fail', async () => {
    const { connect, get, server } = await createWorld()
    await connect()
    const rejectedVersion = (await get()).version
    const before = server.http.sent.length
    server.script.push(answers.down, answers.down)
    for (let i = 0; i < 5; i++) {
      await expect(get({ rejectedVersion })).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    }
    expect(server.http.sent).toHaveLength(before + 1)
  })

  it('says that the grant is dead where an expired token without refresh token is reported', async () => {
    const definition = { answer: { refresh_token: '/none', provider_account_id: '/account' } }
    const { connect, get, clock } = await createWorld({ definition })
    await connect()
    const rejectedVersion = (await get()).version
    await expect(get({ rejectedVersion })).rejects.toEqual(reason('NO_REFRESH_TOKEN'))
    await clock.advance(HOUR)
    await expect(get({ rejectedVersion })).rejects.toEqual(reason('REAUTH_REQUIRED'))
  })

  it('does not refresh for a min_ttl of the whole lifetime', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(1)
    const before = server.http.sent.length
    await expect(get({ minTtlMs: HOUR })).rejects.toEqual(reason('MIN_TTL_UNREACHABLE'))
    expect(server.http.sent).toHaveLength(before)
  })

  it('checks what a refresh has brought against what the caller wants', async () => {
    const { connect, get, clock, server } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    server.scope = 'a'
    await expect(get({ requiredScopes: ['b'] })).rejects.toEqual(reason('SCOPE_NOT_GRANTED'))
    await clock.advance(HOUR)
    server.lifetime = 600
    await expect(get({ minTtlMs: 1_800_000 })).rejects.toEqual(reason('MIN_TTL_UNREACHABLE'))
  })

  it('asks a provider that is down rarely for client credentials', async () => {
    const definition = { refresh: { mode: 'client_credentials' } }
    const { get, server, clock } = await createWorld({ definition })
    server.script.push(answers.down, answers.down, answers.down)
    for (let i = 0; i < 3; i++) await expect(get()).rejects.toEqual(reason('PROVIDER_UNAVAILABLE'))
    expect(server.http.sent).toHaveLength(1)
    server.script.length = 0
    await clock.advance(1_000)
    expect((await get()).accessToken.expose()).toBe('at-1')
  })

  it('probes an issuer whose metadata is gone once a minute, and blames the configuration', async () => {
    const issuer = 'https://as.example'
    const metadata = { issuer, token_endpoint: `${issuer}/token` }
    const { connect, boot, clock, server, name } = await createWorld({ definition: { issuer } })
    server.script.push({ status: 200, body: metadata, headers: { 'content-type': 'application/json' } })
    await connect()
    await clock.advance(HOUR)
    const restarted = boot()
    server.script.push({ status: 404 }, { status: 404 }, { status: 404 }, { status: 404 })
    const caller = { name: 'tester', authentication: 'x' }
    const before = server.http.sent.length
    for (let i = 0; i < 3; i++) {
      const got = restarted.getAccessToken({ ...name, caller, requiredScopes: [] })
      await expect(got).rejects.toEqual(reason('PROVIDER_MISCONFIGURED'))
      await clock.advance(10_000)
    }
    expect(server.http.sent).toHaveLength(before + 2)
    expect((await restarted.getStatus({ ...name, verify: false })).state).toBe('PROVIDER_MISCONFIGURED')
  })
})
