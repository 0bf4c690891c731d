import { describe, expect, it, vi } from 'vitest'
import { Revocation } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import {
  connect,
  createWorld,
  disconnect,
  EXPIRED_AFTER_MS,
  expectChain,
  expectSlowDeath,
  HALF_A_MINUTE_MS,
  refresh,
  status,
} from './dialect-world.ts'
import { dialects } from './fronts.ts'

const CALLERS = 50

// The server reminds of settings that only a server in production needs.
vi.spyOn(console, 'warn').mockImplementation(() => {})
vi.spyOn(console, 'info').mockImplementation(() => {})

describe.each(dialects)('$definition in front of oidc-provider', dialect => {
  it(`is asked once by ${CALLERS} callers of an expired token, and the grant survives`, async () => {
    const { home, front, time, name } = await createWorld(dialect)
    const broker = await home.start()
    await connect(broker, name)
    front.server.tokenRequests.length = 0
    time.pass(EXPIRED_AFTER_MS)
    const { acted, deliver } = front.keepNextAnswer()
    const calls = Array.from({ length: CALLERS }, () => broker.getToken(name.provider))
    // One channel keeps order: when this is answered, all the calls before it wait for the refresh.
    await status(broker, name)
    await acted
    deliver()
    const answers = await Promise.all(calls)
    expect(new Set(answers.map(({ version }) => version)).size).toBe(1)
    expect(front.server.tokenRequests).toMatchObject([{ grantType: 'refresh_token', status: 200 }])

    const [{ version: rejectedVersion = '' } = {}] = answers
    const next = await broker.getToken(name.provider, { rejectedVersion })
    expect(next.version).not.toBe(rejectedVersion)
    expectChain(front, dialect, 2)
  })

  it('has its answer lost on the way: the broker says so, and the old token decides', async () => {
    const world = await createWorld(dialect)
    const { home, front, time, name } = world
    const broker = await home.start()
    await connect(broker, name)
    time.pass(EXPIRED_AFTER_MS)
    const { acted, lose } = front.keepNextAnswer()
    const refusal = broker.refusal(name.provider)
    await acted
    lose()
    expect((await refusal).reason).toBe('PROVIDER_UNAVAILABLE')
    expect((await status(broker, name))?.outcomeUnknownSince).toBeInstanceOf(Date)
    time.pass(HALF_A_MINUTE_MS)
    if (!dialect.rotates) {
      await broker.getToken(name.provider)
      expectChain(front, dialect, 2)
      return
    }
    // Nobody knows what replaced it; refusals are what tells.
    await expectSlowDeath(broker, world)
  })

  it('answers a refresh after a new consent: the new grant stays', async () => {
    const { home, front, time, name } = await createWorld(dialect)
    const broker = await home.start()
    await connect(broker, name)
    const { acted, deliver } = front.keepNextAnswer()
    const late = broker.call(broker.tokens, broker.tokens.refresh, name)
    await acted
    const { version } = await connect(broker, name)
    const { refreshToken } = front.upstream.newest()
    deliver()
    await late
    expect((await broker.getToken(name.provider)).version).toBe(version)
    time.pass(HALF_A_MINUTE_MS)
    await refresh(broker, name)
    expect(front.upstream.presented.at(-1)).toBe(refreshToken)
  })
})

describe.each(dialects.filter(({ revokes }) => revokes))('$definition, which can end a grant', dialect => {
  it('is given a living access token for it, though the stored one has expired', async () => {
    const { home, front, time, name } = await createWorld(dialect)
    const broker = await home.start()
    const { accessToken: expired } = await connect(broker, name)
    time.pass(EXPIRED_AFTER_MS)
    expect(await disconnect(broker, name)).toBe(Revocation.REVOKED)
    const { accessToken, refreshToken } = front.upstream.newest()
    expect(accessToken).not.toBe(expired)
    expect(front.upstream.revoked).toEqual([accessToken])
    expect((await front.server.tryRefreshToken(refreshToken)).status).toBe(400)
  })

  it('keeps nothing of a refresh that answers after Disconnect', async () => {
    const { home, front, name } = await createWorld(dialect)
    const broker = await home.start()
    const { accessToken: first } = await connect(broker, name)
    const { acted, deliver } = front.keepNextAnswer()
    const late = broker.call(broker.tokens, broker.tokens.refresh, name)
    await acted
    await disconnect(broker, name)
    deliver()
    await late.catch(() => undefined)
    const { accessToken, refreshToken } = front.upstream.newest()
    await expect.poll(() => front.upstream.revoked).toEqual([first, accessToken])
    expect((await front.server.tryRefreshToken(refreshToken)).status).toBe(400)
  })
})
