import { cp } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import {
  type AccessToken,
  Revocation,
  Shared,
  Verification_Result,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createHome, type Home, type RunningBroker } from '../e2e/broker-process.ts'
import { walkConsent } from '../e2e/consent-walk.ts'
import { type MovableTime, takeOverTime } from './time.ts'
import { startWorkersServer, USER, type WorkersServer } from './workers-server.ts'

const LIFETIME_S = 600
const LIFETIME_MS = LIFETIME_S * 1000
/** Longer than every delay between a failure and the next try on demand. */
const HALF_A_MINUTE_MS = 31_000
const SCOPES = ['read', 'write']
const NAME = { provider: 'acme', account: '' }
const FORCED_REFRESHES = 4
const CALLERS = 50

// The server reminds of a setting that only Workers know.
vi.spyOn(console, 'warn').mockImplementation(() => {})

interface World {
  readonly home: Home
  readonly server: WorkersServer
  readonly time: MovableTime
}

async function createWorld(): Promise<World> {
  const time = takeOverTime()
  const home = await createHome()
  const redirectUri = `${home.publicUrl}/oauth/callback/acme`
  const server = await startWorkersServer({ redirectUri, scopes: SCOPES, accessTokenSeconds: LIFETIME_S })
  await configure(home, server)
  return { home, server, time }
}

async function configure(home: Home, { origin, client }: WorkersServer): Promise<void> {
  await home.configure(`acme:
  definition:
    authorize_url: ${origin}/authorize
    token_url: ${origin}/oauth/token
    revoke_url: ${origin}/oauth/token
    verify_url: ${origin}/api
    client_auth: basic
    replay: window
  client_id: ${client.id}
  client_secret: {file: client-secret}
  scopes: [${SCOPES.join(', ')}]`)
  await home.writeFile('client-secret', client.secret)
}

async function connect(broker: RunningBroker): Promise<AccessToken> {
  const { url } = await broker.createLink('acme')
  const { result } = await walkConsent(url)
  expect(result).toContain('<title>Connected')
  return broker.getToken('acme')
}

async function status(broker: RunningBroker, verify = false) {
  return (await broker.call(broker.tokens, broker.tokens.getStatus, { ...NAME, verify })).status
}

/** Asserts that the refresh token in the store is the one that the server takes, by using it. */
async function expectNewestStored(broker: RunningBroker, { server, time }: World): Promise<void> {
  const newest = server.issued.at(-1)
  time.pass(HALF_A_MINUTE_MS)
  const { refreshed, status } = await broker.call(broker.tokens, broker.tokens.refresh, NAME)
  expect({ refreshed, healthy: status?.healthy }).toEqual({ refreshed: true, healthy: true })
  expect(server.presented.at(-1)).toBe(newest)
}

describe('@cloudflare/workers-oauth-provider', () => {
  it('takes an old refresh token until its successor is used, and of several successors the last one', async () => {
    const { home, server } = await createWorld()
    await connect(await home.start())
    const [r0 = ''] = server.issued
    const { refreshToken: first } = await server.tryRefreshToken(r0)
    const { refreshToken: second } = await server.tryRefreshToken(r0)
    expect(await server.tryRefreshToken(first)).toMatchObject({ status: 400, error: 'invalid_grant' })
    expect(await server.tryRefreshToken(second)).toMatchObject({ status: 200 })
    expect(await server.tryRefreshToken(r0)).toMatchObject({ status: 400, error: 'invalid_grant' })
  })

  it('is used from consent to Disconnect', async () => {
    const { home, server, time } = await createWorld()
    const broker = await home.start()
    const first = await connect(broker)
    expect(first).toMatchObject({ tokenType: 'bearer', providerAccountId: USER, scopes: SCOPES })
    for (let turn = 0; turn < FORCED_REFRESHES; turn++) {
      expect((await broker.call(broker.tokens, broker.tokens.refresh, NAME)).refreshed).toBe(true)
      time.pass(HALF_A_MINUTE_MS)
    }
    expect(server.presented).toEqual(server.issued.slice(0, -1))
    expect(server.presented).toHaveLength(FORCED_REFRESHES)
    expect((await status(broker, true))?.verification?.result).toBe(Verification_Result.VERIFIED)

    const { revocation } = await broker.call(broker.tokens, broker.tokens.disconnect, {
      ...NAME,
      shared: Shared.UNSPECIFIED,
    })
    expect(revocation).toBe(Revocation.REVOKED)
    expect(await server.countGrants()).toBe(0)
    expect((await broker.refusal('acme')).reason).toBe('CONSENT_REQUIRED')
  })

  it(`is asked once by ${CALLERS} callers of an expired token, though it would answer them all`, async () => {
    const world = await createWorld()
    const broker = await world.home.start()
    const before = await connect(broker)
    world.time.pass(LIFETIME_MS)
    const { acted, deliver } = world.server.keepNextAnswer()
    const calls = Array.from({ length: CALLERS }, () => broker.getToken('acme'))
    // One channel keeps order: when this is answered, all the calls before it wait for the refresh.
    await status(broker)
    await acted
    deliver()
    const versions = new Set((await Promise.all(calls)).map(({ version }) => version))
    expect(versions.size).toBe(1)
    expect(versions).not.toContain(before.version)
    expect(world.server.presented).toHaveLength(1)
    await expectNewestStored(broker, world)
  })

  it('has its answer lost on the way: the broker says so, and gets another with the old token', async () => {
    const world = await createWorld()
    const { home, server, time } = world
    const broker = await home.start()
    await connect(broker)
    time.pass(LIFETIME_MS)
    const { acted, lose } = server.keepNextAnswer()
    const refusals = Array.from({ length: CALLERS }, () => broker.refusal('acme'))
    await status(broker)
    await acted
    lose()
    const reasons = new Set((await Promise.all(refusals)).map(({ reason }) => reason))
    expect(reasons).toEqual(new Set(['PROVIDER_UNAVAILABLE']))

    time.pass(HALF_A_MINUTE_MS)
    const answers = await Promise.all(Array.from({ length: CALLERS }, () => broker.getToken('acme')))
    expect(new Set(answers.map(({ version }) => version)).size).toBe(1)
    const [r0, lost, newest] = server.issued
    expect(server.presented).toEqual([r0, r0])
    expect(server.issued).toEqual([r0, lost, newest])
    expect(await server.tryRefreshToken(lost ?? '')).toMatchObject({ status: 400, error: 'invalid_grant' })
    await expectNewestStored(broker, world)
  })

  it('outlives a broker that dies between the answer and the commit: the next one uses the old token', async () => {
    const world = await createWorld()
    const { home, server, time } = world
    const dying = await home.start()
    const before = await connect(dying)
    time.pass(LIFETIME_MS)
    const { acted, lose } = server.keepNextAnswer()
    const refusal = dying.refusal('acme')
    await acted

    // What a machine finds on its disk that lost its power now.
    const next = await createHome()
    await cp(home.dataDir, next.dataDir, { recursive: true })
    await configure(next, server)
    const stopped = dying.stop()
    lose()
    await refusal
    await stopped

    const broker = await next.start()
    const token = await broker.getToken('acme')
    expect(token.version).not.toBe(before.version)
    const [r0, lost, newest] = server.issued
    expect(server.presented).toEqual([r0, r0])
    expect(newest).not.toBe(lost)
    await expectNewestStored(broker, world)
  })
})
