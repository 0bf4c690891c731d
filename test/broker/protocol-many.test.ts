import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { grantTo } from './grant-to.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A running broker with that many connections, all of which are due at once. */
async function createDue(count: number, options: MachineOptions = {}) {
  const limits = { concurrency: 16, perSecond: 100 }
  const machine = createMachine({ ...options, provider: { limits, ...options.provider } })
  const { clock, server } = machine
  const process = await machine.run()
  const accounts = Array.from({ length: count }, (_, index) => `account-${index}`)
  await grantTo(machine, process, accounts)
  const before = server.http.sent.length
  const sent = () => server.http.sent.length - before
  const states = () => Promise.all(accounts.map(async account => (await process.status({ account })).state))
  const ill = async () => {
    const all = await Promise.all(accounts.map(account => process.status({ account })))
    return all.filter(({ healthy }) => !healthy).length
  }
  clock.jump(HOUR - 5 * MINUTE)
  return { ...machine, ...process, accounts, sent, states, ill }
}

describe('a provider that refuses every grant for ten minutes', () => {
  it('is believed of ten at the most, and all are back five minutes later without a human', async () => {
    const { clock, server, states, ill } = await createDue(1_000)
    server.always = answers.refused
    let flagged = 0
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(MINUTE)
      flagged = Math.max(flagged, (await states()).filter(state => state !== 'ACTIVE').length)
    }
    expect(flagged).toBeLessThanOrEqual(10)
    server.always = undefined
    await clock.advance(5 * MINUTE)
    expect(new Set(await states())).toEqual(new Set(['ACTIVE']))
    expect(await ill()).toBe(0)
  }, 30_000)
})

describe('a provider that refuses every grant while callers ask for their tokens', () => {
  it('is believed of ten at the most, too', async () => {
    const { clock, server, accounts, states, token, ill } = await createDue(100)
    server.always = answers.refused
    clock.jump(5 * MINUTE)
    for (let turn = 0; turn < 60; turn++) {
      for (const account of accounts) void token({ account })
      await clock.advance(10 * SECOND)
    }
    expect((await states()).filter(state => state !== 'ACTIVE').length).toBeLessThanOrEqual(10)
    server.always = undefined
    await clock.advance(5 * MINUTE)
    expect(await ill()).toBe(0)
  }, 30_000)
})

describe('a wrong client secret with a thousand connections due', () => {
  it.each([
    ['one secret', ['wrong']],
    ['two secrets, each of which is tried', ['wrong', 'wrong, too']],
  ])(
    'causes at most 20 attempts in ten minutes and hurts no connection: %s',
    async (_, secrets) => {
      const provider = { clientSecrets: secrets.map(secret => new Secret(secret)) }
      const { clock, server, sent, states, ill, token } = await createDue(1_000, { provider })
      server.secrets = ['right']
      for (let minute = 0; minute < 10; minute++) {
        await clock.advance(MINUTE)
        expect(await token({ account: 'account-7', minTtlMs: HOUR - 10 * MINUTE })).toBe(
          'PROVIDER_MISCONFIGURED',
        )
      }
      expect(sent()).toBeLessThanOrEqual(20 * secrets.length)
      expect((await states()).filter(state => state === 'REAUTH_REQUIRED')).toEqual([])
      server.secrets = secrets
      await clock.advance(2 * MINUTE)
      expect(await ill()).toBe(0)
    },
    30_000,
  )

  it('is nothing where one of two secrets is right', async () => {
    const provider = { clientSecrets: [new Secret('new'), new Secret('old')] }
    const { clock, server, ill, sent } = await createDue(100, { provider })
    server.secrets = ['old']
    await clock.advance(30 * SECOND)
    expect(await ill()).toBe(0)
    expect(sent()).toBeLessThanOrEqual(100 + 16)
  })
})

describe('a provider that is down for an hour', () => {
  it.each([
    ['answers 503', 1, answers.down],
    ['answers 503', 3, answers.down],
    ['answers 503', 200, answers.down],
    ['cannot be reached', 3, answers.unreachable],
    ['acts and does not answer', 200, acted.lost],
  ])(
    '%s, with %i connections: is probed, tokens are served, and all are back in a minute',
    async (_, count, turn) => {
      const { clock, server, sent, token, ill, accounts, states } = await createDue(count)
      server.replay = 'same'
      server.always = turn
      // Until the breaker opens.
      await clock.advance(MINUTE)
      for (let minute = 1; minute < 60; minute++) {
        const before = sent()
        expect(await token({ account: accounts.at(-1) })).toMatch(
          minute < 4 ? /^at-/ : /^at-|PROVIDER_UNAVAILABLE/,
        )
        await clock.advance(MINUTE)
        expect(sent() - before).toBeLessThanOrEqual(2)
      }
      server.always = undefined
      await clock.advance(MINUTE)
      expect(await ill()).toBe(0)
      expect(new Set(await states())).toEqual(new Set(['ACTIVE']))
    },
    30_000,
  )
})

describe('a provider that answers each of a thousand connections with nonsense for ten minutes', () => {
  it.each([
    ['a firewall', { status: 403, body: '<html>' }],
    ['overload', { status: 400, body: { error: 'temporarily_unavailable' } }],
  ])(
    '%s: all are back in a minute',
    async (_, answer) => {
      const { clock, server, sent, ill } = await createDue(1_000)
      server.always = answer
      await clock.advance(10 * MINUTE)
      expect(await ill()).toBe(1_000)
      // Each once, and then what the retry budget allows.
      expect(sent()).toBeLessThanOrEqual(1_000 + 20 + 10 * 60 * 2)
      server.always = undefined
      await clock.advance(MINUTE)
      expect(await ill()).toBe(0)
    },
    30_000,
  )
})

describe('a provider that does not answer', () => {
  it('is not asked any more because 50 callers ask every second', async () => {
    const { clock, server, accounts, sent, token, ill } = await createDue(50)
    server.always = answers.down
    clock.jump(5 * MINUTE)
    for (let second = 0; second < 300; second++) {
      for (const account of accounts) void token({ account })
      await clock.advance(SECOND)
    }
    expect(sent()).toBeLessThanOrEqual(10 + 10)
    server.always = undefined
    await clock.advance(MINUTE)
    expect(await ill()).toBe(0)
  }, 30_000)

  it.each(['single_use', 'single_use_family'] as const)(
    'and acts all the same for an hour costs few grants, each of which is reported: %s',
    async replay => {
      const { clock, server, states, ill } = await createDue(200)
      server.replay = replay
      server.always = acted.lost
      await clock.advance(HOUR)
      server.always = undefined
      await clock.advance(2 * MINUTE)
      const lost = (await states()).filter(state => state === 'REAUTH_REQUIRED').length
      expect(lost).toBeLessThanOrEqual(10)
      expect(await ill()).toBe(lost)
    },
    30_000,
  )
})

describe('two thousand connections due at once', () => {
  it('never are more in flight than allowed, and callers go first', async () => {
    const { clock, server, accounts, token, ill } = await createDue(2_000)
    server.always = async act => {
      await new Promise<void>(resolve => clock.schedule(200, resolve))
      return act()
    }
    clock.jump(5 * MINUTE)
    await clock.advance(2 * SECOND)
    for (const account of accounts.slice(-5)) {
      let answer: string | undefined
      void token({ account }).then(got => {
        answer = got
      })
      await clock.advance(700)
      expect(answer).toMatch(/^at-/)
    }
    await clock.advance(60 * SECOND)
    await settle()
    expect(server.inFlight.max).toBeLessThanOrEqual(16)
    expect(await ill()).toBe(0)
  }, 30_000)
})
