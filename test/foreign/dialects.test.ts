import { describe, expect, it, vi } from 'vitest'
import { ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  ConnectionState,
  Revocation,
  Verification_Result,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { CLIENT, USER } from '../e2e/oidc-server.ts'
import {
  callApi,
  connect,
  consent,
  createWorld,
  disconnect,
  EXPIRED_AFTER_MS,
  expectChain,
  expectSlowDeath,
  HALF_A_MINUTE_MS,
  LIFETIME_MS,
  refresh,
  status,
} from './dialect-world.ts'
import { dialects } from './fronts.ts'

const FORCED_REFRESHES = 4
/** More than a test takes between two of its lines. */
const SLOWNESS_MS = 15_000

// The server reminds of settings that only a server in production needs.
vi.spyOn(console, 'warn').mockImplementation(() => {})
vi.spyOn(console, 'info').mockImplementation(() => {})

function daysLeft(end: Date | undefined): number | undefined {
  return end && Math.round((end.getTime() - Date.now()) / 86_400_000)
}

/** @param ageMs for how long the token has lived */
function expectWholeLifetime({ expireTime }: AccessToken, ageMs = 0): void {
  const lifetimeMs = (expireTime?.getTime() ?? 0) - Date.now() + ageMs
  expect(lifetimeMs).toBeGreaterThan(LIFETIME_MS - SLOWNESS_MS)
  expect(lifetimeMs).toBeLessThanOrEqual(LIFETIME_MS)
}

describe.each(dialects)('$definition in front of oidc-provider', dialect => {
  it('is used from consent to Disconnect', async () => {
    const { home, front, time, name } = await createWorld(dialect)
    const broker = await home.start()
    const first = await connect(broker, name)
    expect(first.providerAccountId).toBe(USER)
    expect(first.scopes).toEqual(expect.arrayContaining(Object.values(dialect.scopes)))
    expectWholeLifetime(first)
    const days = dialect.refreshTokenDays
    expect(daysLeft((await status(broker, name))?.refreshExpireTime)).toBe(days)
    expect(await callApi(front, dialect, first)).toEqual({ status: 200, code: 0 })

    for (let turn = 0; turn < FORCED_REFRESHES; turn++) {
      await refresh(broker, name)
      time.pass(HALF_A_MINUTE_MS)
    }
    const last = await broker.getToken(name.provider)
    expect(last.version).not.toBe(first.version)
    expectWholeLifetime(last, HALF_A_MINUTE_MS)
    expect(await callApi(front, dialect, last)).toEqual({ status: 200, code: 0 })
    const verified = await status(broker, name, { verify: true })
    expect(verified?.verification?.result).toBe(Verification_Result.VERIFIED)
    expectChain(front, dialect, FORCED_REFRESHES)

    const { refreshToken } = front.upstream.newest()
    expect(await disconnect(broker, name)).toBe(dialect.revokes ? Revocation.REVOKED : Revocation.UNSUPPORTED)
    expect((await front.server.tryRefreshToken(refreshToken)).status).toBe(dialect.revokes ? 400 : 200)
    expect(front.strays).toEqual([])
  })

  it('refuses a wrong client secret, which the connection outlives', async () => {
    const { home, front, time, name, configure } = await createWorld(dialect)
    let broker = await home.start()
    const token = await connect(broker, name)
    await broker.stop()
    time.pass(EXPIRED_AFTER_MS)

    await configure('not-the-secret')
    broker = await home.start()
    // Where the answer does not tell, the secret does: it is another one than the tokens came with.
    const reason = 'PROVIDER_MISCONFIGURED'
    expect((await broker.refusal(name.provider)).reason).toBe(reason)
    time.pass(HALF_A_MINUTE_MS)
    expect((await broker.refusal(name.provider)).reason).toBe(reason)
    expect(front.server.tokenRequests.at(-1)?.status).toBe(401)
    await broker.stop()

    // Second in the list, as during a rotation.
    time.pass(HALF_A_MINUTE_MS)
    await configure('not-the-secret', CLIENT.secret)
    broker = await home.start()
    expect((await broker.getToken(name.provider)).version).not.toBe(token.version)
  })

  it('says no for its user: DENIED, with its own code', async () => {
    const { home, front, name } = await createWorld(dialect)
    front.server.decision = 'deny'
    const broker = await home.start()
    expect(await consent(broker, name)).toMatchObject({
      state: ConsentState.DENIED,
      error: { reason: 'DENIED', providerCode: 'access_denied' },
    })
    expect(front.server.tokenRequests).toEqual([])
  })

  it('lets its user untick a scope: reported, or refused and given back', async () => {
    const { home, front, name } = await createWorld(dialect)
    front.untick()
    const broker = await home.start()
    const { identity, other } = dialect.scopes
    const { state, status } = (await consent(broker, name)) ?? {}
    if (!dialect.needsEveryScope) {
      expect(state).toBe(ConsentState.COMPLETED)
      expect(status).toMatchObject({ requestedScopes: [identity, other], missingScopes: [other] })
      return
    }
    expect(state).toBe(ConsentState.FAILED)
    const { accessToken, refreshToken } = front.upstream.newest()
    await expect.poll(() => front.upstream.revoked).toEqual([accessToken])
    await expect.poll(() => front.upstream.inspect(accessToken)).toBeUndefined()
    expect((await front.server.tryRefreshToken(refreshToken)).status).toBe(400)
  })

  it('refuses what its user took back while the access token lives: that one tells', async () => {
    const world = await createWorld(dialect)
    const { home, front, time, name } = world
    const broker = await home.start()
    await connect(broker, name)
    await front.withdraw()
    for (const turn of ['refused', 'confirmed']) {
      const { refreshed } = await broker.call(broker.tokens, broker.tokens.refresh, name)
      expect(refreshed, turn).toBe(false)
      time.pass(HALF_A_MINUTE_MS + 1_000)
    }
    const { state, diagnosis, connected } = (await status(broker, name)) ?? {}
    expect({ state, connected }).toEqual({ state: ConnectionState.REAUTH_REQUIRED, connected: true })
    expect(diagnosis).toMatch(/revoked|refused/)
  })

  it('refuses what its user took back: not at once believed, and then for a human to mend', async () => {
    const world = await createWorld(dialect)
    const { home, front, time, name } = world
    const broker = await home.start()
    await connect(broker, name)
    await front.withdraw()
    time.pass(EXPIRED_AFTER_MS)
    if (dialect.tellsWrongSecret) await expectSlowDeath(broker, world)
    // Where it may be our secret that is refused, the grant is not given up.
    else expect((await broker.refusal(name.provider)).reason).toBe('PROVIDER_UNAVAILABLE')
    expect((await status(broker, name))?.connected).toBe(false)

    await connect(broker, name)
    expect((await status(broker, name))?.healthy).toBe(true)
  })
})

describe.each(dialects.filter(({ rotates }) => rotates))('$definition', dialect => {
  // Otherwise the tests around would not notice a token that comes twice.
  it('loses the grant, newest token and all, when somebody presents a used refresh token', async () => {
    const world = await createWorld(dialect)
    const { home, front, time, name } = world
    const broker = await home.start()
    await connect(broker, name)
    await refresh(broker, name)
    const [used = ''] = front.upstream.presented
    expect(await front.server.tryRefreshToken(used)).toEqual({ status: 400, error: 'invalid_grant' })
    time.pass(EXPIRED_AFTER_MS)
    await expectSlowDeath(broker, world)
  })
})
