import { describe, expect, it } from 'vitest'
import { HARD_TIMEOUT_MS } from '../../src/egress/http.ts'
import { StoreError } from '../../src/store/store.ts'
import { settle } from './fake-clock.ts'
import { countPending, fillStore, loseStore } from './faults.ts'
import { grantTo } from './grant-to.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { createSandboxWorld } from './sandbox-world.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const never = new Promise<void>(() => {})

/** A running broker whose only connection has just expired. */
async function createExpired(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  machine.clock.jump(HOUR)
  return { machine, ...machine, ...process, process, refreshes: () => refreshesOf(machine) }
}

/** Two running brokers over one store; the only connection has just expired, and only `a` has noticed. */
async function createPair(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const [a, b] = [await machine.run({ replica: 'a' }), await machine.run({ replica: 'b' })]
  await a.connect()
  machine.clock.jump(HOUR)
  return { ...machine, a, b, refreshes: () => refreshesOf(machine) }
}

function refreshesOf({ server }: Pick<ReturnType<typeof createMachine>, 'server'>): number {
  return server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
}

describe('locks that others had', () => {
  it('NangoHQ/nango#1005, #1016: a refresh that hangs pins every later caller until a restart', async () => {
    const { clock, control, expire, token, status } = await createSandboxWorld('fake')
    const refreshes = () => control.countRequests({ operation: 'refresh' })
    expire()
    // Nothing but the broker's own deadline ends it.
    control.addFault({ operation: 'refresh', answer: 'drip', times: 1 })
    const callers = Promise.all(Array.from({ length: 50 }, () => token()))
    await expect.poll(refreshes).toBe(1)
    await clock.advance(10 * SECOND)
    expect(new Set(await callers)).toEqual(new Set(['PROVIDER_UNAVAILABLE']))
    await clock.advance(HARD_TIMEOUT_MS - 10 * SECOND - 1)
    expect(await status()).toMatchObject({ consecutiveFailures: 0 })
    await clock.advance(1)
    const sentAt = clock.now() - HARD_TIMEOUT_MS
    expect(await status()).toMatchObject({ consecutiveFailures: 1, outcomeUnknownSince: sentAt })
    await clock.advance(SECOND)
    expect(await token()).toMatch(/^at-/)
    expect(refreshes()).toBe(2)
  })

  it('NangoHQ/nango#2494: callers with a good token wait for the lock of a refresh', async () => {
    const machine = createMachine()
    const { connect, token } = await machine.run()
    await connect()
    machine.server.always = never
    await machine.clock.advance(HOUR - 5 * MINUTE)
    expect(machine.server.inFlight.now).toBe(1)
    const tokens = await Promise.all(Array.from({ length: 1_000 }, () => token()))
    expect(new Set(tokens)).toEqual(new Set(['at-1']))
  })

  it('all of them: 10,000 calls while the provider hangs for a minute, none of which waits', async () => {
    const { broker, clock, control, granted, process, status, token } = await createSandboxWorld('fake')
    control.addFault({ operation: 'refresh', answer: 'drip' })
    await broker.start()
    // The first release is recorded.
    expect(await token()).toBe(granted.accessToken)
    const { nextRefreshAt = 0 } = await status()
    await clock.advance(nextRefreshAt - clock.now())
    const refreshes = () => control.countRequests({ operation: 'refresh' })
    await expect.poll(refreshes).toBe(1)

    const calls = countPending(process)
    const told: string[] = []
    for (let at = 0; at < HARD_TIMEOUT_MS; at += SECOND) {
      const before = calls.sum()
      // Whoever waited for the provider would wait for ever: the clock stands still.
      told.push(...(await Promise.all(Array.from({ length: 167 }, () => token()))))
      expect(calls.sum()).toBe(before)
      expect(await status()).toMatchObject({ consecutiveFailures: 0 })
      await clock.advance(SECOND)
    }
    expect(told.length).toBeGreaterThan(10_000)
    expect(new Set(told)).toEqual(new Set([granted.accessToken]))
    expect(await status()).toMatchObject({ connected: true, consecutiveFailures: 1 })
    expect(refreshes()).toBe(1)
    expect(await token()).toBe(granted.accessToken)
  })

  it('NangoHQ/nango#2858: the slow first holder releases the lock of the second, and a third enters', async () => {
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { clock, server, a, b, run, refreshes } = await createPair({ definition: { replay: 'window' } })
    server.replay = 'window'
    fillStore(a, 'extendLease')
    server.script.push(async () => {
      await first.promise
      return answers.refused
    }, acted.late(second.promise))
    void a.token()
    await clock.advance(17 * SECOND)
    expect(refreshes()).toBe(2)
    first.resolve()
    const c = await run({ replica: 'c' })
    await clock.advance(5 * SECOND)
    expect(await c.token()).toBe('PROVIDER_UNAVAILABLE')
    expect(refreshes()).toBe(2)
    second.resolve()
    await clock.advance(SECOND)
    // A refusal that came while the answer was under way may have cost it, so it is refreshed once more.
    for (const process of [a, b, c]) expect(await process.token()).toBe('at-3')
  })

  it('NangoHQ/nango#2859, n8n-io/n8n#33092: a lock holds a database connection for the whole request', async () => {
    const { clock, server, process, token } = await createExpired()
    const pending = countPending(process)
    server.script.push(never)
    void token()
    await clock.advance(5 * SECOND)
    expect(server.inFlight.now).toBe(1)
    expect(pending()).toBe(0)
  })

  it('NangoHQ/nango#5090: forced and failing refreshes queue until the server gives up', async () => {
    const { clock, server, token, get, refreshes, broker, name } = await createExpired()
    const { version } = await get()
    const before = refreshes()
    server.always = answers.down
    const asked = Array.from({ length: 2_000 }, (_, index) =>
      index % 2 === 0 ? token({ rejectedVersion: version }) : broker.refresh(name).catch(() => {}),
    )
    await clock.advance(SECOND)
    await Promise.all(asked)
    expect(refreshes() - before).toBeLessThanOrEqual(3)
  })

  it('oauth2-proxy#3456, infusionsoft-php#220, NangoHQ/nango: the lock is over before the work is', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, a, b, refreshes } = await createPair({ definition: { replay: 'window' } })
    server.script.push(acted.late(gate.promise))
    void a.token()
    await clock.advance(55 * SECOND)
    expect(await Promise.all([b.token(), clock.advance(11 * SECOND)])).toContain('PROVIDER_UNAVAILABLE')
    gate.resolve()
    await clock.advance(SECOND)
    expect(await b.token()).toBe('at-2')
    expect(refreshes()).toBe(1)
  })

  it('infusionsoft-php#220: everybody refreshes on the hour', async () => {
    let turn = 0
    const machine = createMachine({ fraction: () => (turn++ * 0.618) % 1 })
    const process = await machine.run()
    const accounts = Array.from({ length: 50 }, (_, index) => `account-${index}`)
    for (const account of accounts) {
      await process.connect({ account })
      await machine.clock.advance(50)
    }
    const due = await Promise.all(
      accounts.map(async account => (await process.status({ account })).nextRefreshAt ?? 0),
    )
    expect(Math.max(...due) - Math.min(...due)).toBeGreaterThan(50 * SECOND)
    expect(new Set(due).size).toBe(50)
  })

  it('n8n-io/n8n#12742, spring-security#11461: each of many threads refreshes, and garbles what is stored', async () => {
    const { clock, server, a, b, refreshes } = await createPair()
    server.replay = 'single_use_family'
    const asked = Promise.all(Array.from({ length: 500 }, (_, index) => (index % 2 ? a : b).token()))
    await clock.advance(SECOND)
    const answered = new Set(await asked)
    expect(answered.delete('at-2')).toBe(true)
    // The other replica says when to come back.
    expect([...answered].filter(answer => answer !== 'PROVIDER_UNAVAILABLE')).toEqual([])
    expect(refreshes()).toBe(1)
    expect([await a.token(), await b.token()]).toEqual(['at-2', 'at-2'])
  })

  it('airbytehq/airbyte#82783: jobs hold a snapshot that a sibling has made stale', async () => {
    const { get, token, refreshes } = await createExpired()
    const stale = (await get()).version
    await token({ rejectedVersion: stale })
    const before = refreshes()
    const fresh = await get({ rejectedVersion: stale })
    expect(fresh.version).not.toBe(stale)
    expect(await token({ rejectedVersion: 'a version of long ago' })).toBe(fresh.accessToken.expose())
    expect(refreshes()).toBe(before)
  })

  it('can1357/oh-my-pi#5081, xorbitsai/xagent#1454: the loser is refused and deletes the row of the winner', async () => {
    const gate = Promise.withResolvers<void>()
    const { clock, server, a, b } = await createPair({ definition: { replay: 'window' } })
    fillStore(a, 'extendLease')
    server.script.push(async () => {
      await gate.promise
      return answers.refused
    })
    void a.token()
    await clock.advance(17 * SECOND)
    gate.resolve()
    await clock.advance(MINUTE)
    for (const process of [a, b]) {
      expect(await process.token()).toMatch(/^at-/)
      expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    }
  })

  it('grafana/grafana#98195: trouble with the lock counts as a failed refresh, and logs the user out', async () => {
    const { clock, process, token, status } = await createExpired()
    const { beginAttempt } = process.store
    for (const broken of [async () => false, () => Promise.reject(new StoreError('busy', 'locked'))]) {
      process.store.beginAttempt = broken
      expect(await token()).toMatch(/_UNAVAILABLE$/)
      await clock.advance(MINUTE)
      expect(await status()).toMatchObject({ state: 'ACTIVE', consecutiveFailures: 0 })
    }
    process.store.beginAttempt = beginAttempt
    await clock.advance(5 * SECOND)
    expect(await token()).toBe('at-2')
  })

  it('stacklok/toolhive#5635: a dedup that is made anew for each call dedups nothing', async () => {
    const { server, token, get, broker, name, refreshes, clock } = await createExpired()
    const gate = Promise.withResolvers<void>()
    server.script.push(gate.promise)
    const asked = [token(), token({ minTtlMs: 0 }), broker.refresh(name), token({ minTtlMs: 30 * MINUTE })]
    await clock.advance(3 * SECOND)
    gate.resolve()
    await Promise.all(asked)
    expect((await get()).accessToken.expose()).toBe('at-2')
    expect(refreshes()).toBe(1)
  })

  it('BerriAI/litellm#31493: a lock that is held and a lock that is away look the same', async () => {
    const { clock, server, a, b } = await createPair()
    server.script.push(never)
    void a.token()
    await settle()
    await clock.advance(SECOND)
    const held = await b.get().catch(error => error)
    expect(held).toMatchObject({
      reason: 'PROVIDER_UNAVAILABLE',
      message: expect.stringMatching(/in flight/),
    })
    loseStore(b)
    await clock.advance(11 * SECOND)
    expect(await b.get().catch(error => error)).toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
  })

  it('NangoHQ/nango, aws/bedrock-agentcore-sdk-python#54: a forced refresh that joins another is lost', async () => {
    const gate = Promise.withResolvers<void>()
    const { server, token, broker, name } = await createExpired()
    server.script.push(gate.promise)
    const waiting = token()
    await settle()
    const forced = broker.refresh(name)
    await settle()
    gate.resolve()
    expect(await forced).toMatchObject({ refreshed: true })
    expect(await waiting).toBe('at-2')
  })

  it('NangoHQ/nango, oauthapp engine: one slow connection holds up the others', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    const process = await machine.run()
    await grantTo(machine, process, ['hangs', 'b', 'c'])
    clock.jump(HOUR)
    server.script.push(never)
    void process.token({ account: 'hangs' })
    await clock.advance(2 * SECOND)
    expect(await process.token({ account: 'b' })).toMatch(/^at-/)
    expect(await process.token({ account: 'c' })).toMatch(/^at-/)
    expect(server.inFlight.now).toBe(1)
  })
})
