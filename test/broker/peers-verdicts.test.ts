import { describe, expect, it } from 'vitest'
import type { ConnectionStatus } from '../../src/broker/broker.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A running broker whose only connection has just expired. */
async function createExpired(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  const refreshes = () =>
    machine.server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return { ...machine, ...process, refreshes }
}

describe('verdicts that others got wrong', () => {
  it('xorbitsai/xagent#1544, #1988: a 5xx that says invalid_grant counts as permanent', async () => {
    const { clock, server, status, token } = await createExpired()
    server.always = { status: 503, body: { error: 'invalid_grant' } }
    expect(await token()).toBe('PROVIDER_UNAVAILABLE')
    await clock.advance(10 * MINUTE)
    expect((await status()).state).toBe('ACTIVE')
    server.always = undefined
    await clock.advance(MINUTE)
    expect(await token()).toBe('at-2')
  })

  it.each([
    ['owncloud/client#8883', answers.unreachable],
    ['schulydev/Schuly#476', answers.lost],
    ['bulwarkmail#568', answers.down],
    ['friday-studio#267', { status: 200, body: '<html>Welcome to the hotel</html>' }],
    ['NyxID', { status: 500 }],
    ['iron-token-broker', { status: 400, body: { error: 'temporarily_unavailable' } }],
    ['iron-token-broker, oauthapp engine', answers.wrongClient],
    ['Grafana', answers.limited],
  ])('%s: what is no refusal counts as one', async (_, answer) => {
    const { clock, server, status, token } = await createExpired()
    server.replay = 'same'
    server.always = answer
    await clock.advance(HOUR)
    expect((await status()).state).not.toBe('REAUTH_REQUIRED')
    server.always = undefined
    await clock.advance(2 * MINUTE)
    expect(await token()).toBe('at-2')
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('NangoHQ/nango#3736: an outage of days exhausts a connection', async () => {
    const { clock, server, status, token } = await createExpired()
    server.always = answers.down
    for (let day = 0; day < 6; day++) {
      await clock.advance(2 * MINUTE)
      clock.jump(DAY)
    }
    server.always = undefined
    await clock.advance(MINUTE)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(await token()).toBe('at-2')
  })

  it('NangoHQ/nango#5505: a customer who retries on every failure makes 60,000 requests a day', async () => {
    const { clock, server, token, refreshes } = await createExpired()
    server.always = answers.wrongScope
    for (let second = 0; second < 600; second++) {
      await token()
      await clock.advance(SECOND)
    }
    // 60,000 a day are 417 in ten minutes.
    expect(refreshes()).toBeLessThanOrEqual(61)
  })

  it.each([
    ['while the provider is down', answers.down],
    ['while the grant is dead', answers.refused],
    ['while our client is refused', answers.wrongClient],
  ])('NangoHQ/nango#5505, %s: callers hardly add to the requests', async (_, answer) => {
    const { clock, server, token, refreshes } = await createExpired()
    server.always = answer
    for (let second = 0; second < 600; second++) {
      await token()
      await clock.advance(SECOND)
    }
    expect(refreshes()).toBeLessThanOrEqual(30)
  })

  it('NangoHQ/nango#988: a replaced client secret fails old connections with unauthorized_client', async () => {
    const { clock, server, broker, run } = await createExpired()
    server.always = { status: 400, body: { error: 'unauthorized_client' } }
    await clock.advance(HOUR)
    await broker.stop()
    server.always = undefined
    server.secrets = ['new']
    const corrected = await run({ provider: { clientSecrets: [new Secret('new')] } })
    expect(await corrected.token()).toBe('at-2')
  })

  it('puppetlabs#35: two client secrets during a rollout, tried in order', async () => {
    const { server, broker, run, clock } = await createExpired()
    await broker.stop()
    server.secrets = ['old']
    const rolling = await run({ provider: { clientSecrets: [new Secret('new'), new Secret('old')] } })
    expect(await rolling.token()).toBe('at-2')
    server.secrets = ['new']
    clock.jump(HOUR)
    expect(await rolling.token()).toBe('at-3')
  })

  it('NangoHQ/nango#7202: a connection that recovers is told to nobody', async () => {
    const { clock, server, broker } = await createExpired()
    const ending = new AbortController()
    const seen: ConnectionStatus[] = []
    const watching = (async () => {
      const states = broker.watchConnections({ visible: () => true, signal: ending.signal })
      for await (const status of states) seen.push(status)
    })().catch(() => {})
    server.always = answers.unreachable
    await clock.advance(20 * SECOND)
    server.always = undefined
    await clock.advance(MINUTE)
    ending.abort()
    await watching
    const told = seen.map(({ healthy }) => healthy)
    expect(told).toContain(false)
    expect(told.at(-1)).toBe(true)
  })

  it('n8n-io/n8n#30460: an error is raw text that nobody can act on', async () => {
    const { clock, server, connect, get } = await createExpired()
    await connect({ account: "Alice's shop" })
    server.endGrants()
    clock.jump(HOUR)
    await clock.advance(35 * SECOND)
    const error = await get({ account: "Alice's shop" }).catch(caught => caught)
    expect(error).toMatchObject({
      reason: 'REAUTH_REQUIRED',
      message: 'the grant at acme is dead; a human has to consent again',
      details: {
        metadata: { provider: 'acme', account: "Alice's shop" },
        help: `Consent again: token-broker connect acme --account "Alice's shop"`,
      },
    })
  })

  it('activepieces#14680: a connection without a refresh token counts as never expired', async () => {
    const definition = { answer: { refresh_token: '/none', provider_account_id: '/account' } }
    const machine = createMachine({ definition })
    const { connect, token, status } = await machine.run()
    await connect()
    await machine.clock.advance(HOUR)
    expect(await token()).toBe('REAUTH_REQUIRED')
    expect((await status()).diagnosis).toMatch(
      /^the access token expired, and the provider issued no refresh/,
    )
  })

  it('NangoHQ/nango#1780: an answer without expires_in is never refreshed, and a 401 cannot be reported', async () => {
    const machine = createMachine()
    const { connect, get, token } = await machine.run()
    machine.server.script.push(act => {
      const { status, body } = act()
      return { status, body: { ...(body as object), expires_in: undefined } }
    })
    await connect()
    const { version, expiry } = await get()
    expect(expiry).toBe('UNKNOWN')
    machine.clock.jump(30 * DAY)
    expect(await token()).toBe('at-1')
    expect(await token({ rejectedVersion: version })).toBe('at-2')
  })

  it('NangoHQ/nango#1780: nor where the definition could have told', async () => {
    const definition = { answer: { assume_expires_in: 3600, expires: { at: '/none', as: 'seconds' } } }
    const { get, token } = await createExpired({ definition })
    expect(await token()).toBe('at-2')
    expect(await get()).toMatchObject({ expiry: 'ASSUMED' })
  })

  it('NangoHQ/nango, Agent Vault: a good token is withheld because a refresh has failed', async () => {
    const machine = createMachine()
    const { connect, get } = await machine.run()
    await connect()
    machine.server.always = answers.down
    await machine.clock.advance(HOUR - 2 * MINUTE)
    const token = await get()
    expect(token.accessToken.expose()).toBe('at-1')
    expect(token.degraded?.reason).toBe('PROVIDER_UNAVAILABLE')
  })

  it('iron-token-broker: once dead, 422, although the access token is good; and a restart to recover', async () => {
    const machine = createMachine()
    const { connect, token, status } = await machine.run()
    await connect()
    machine.server.always = answers.refused
    await machine.clock.advance(HOUR - 5 * MINUTE)
    expect((await status()).state).toBe('REAUTH_REQUIRED')
    expect(await token()).toBe('at-1')
    machine.server.always = undefined
    await machine.clock.advance(10 * MINUTE)
    expect(await token()).toBe('at-2')
  })

  it('ComposioHQ/composio#1914: a refresh makes a working connection worse', async () => {
    const { clock, server, broker, name, token, connect } = await createExpired()
    await connect()
    for (const turn of [
      answers.down,
      answers.unreachable,
      answers.limited,
      answers.wrongClient,
      answers.wrongScope,
    ]) {
      server.script.push(turn)
      await broker.refresh(name)
      await settle()
      expect(await token()).toMatch(/^at-/)
      await clock.advance(31 * SECOND)
    }
  })

  it('EdanStarfire/claudecode_webui#1387, UsefulSoftwareCo/executor#1545: no way back, or an old verdict stays', async () => {
    const { clock, server, connect, status, token } = await createExpired()
    server.script.push(acted.lost)
    await token()
    await clock.advance(5 * SECOND)
    expect((await status()).state).toBe('REAUTH_REQUIRED')
    await connect()
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true, lastError: undefined })
    expect((await status()).diagnosis).toBe('working; nothing to do')
  })
})
