import { describe, expect, it } from 'vitest'
import { governClient } from '../../src/broker/governor/governed-client.ts'
import type { OAuthClient } from '../../src/oauth/client.ts'
import { failed, type Result, success } from '../../src/oauth/failure.ts'
import type { Definition } from '../../src/providers/definition.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { createDriver, failures } from './governor-driver.ts'

const about = { variables: {}, attributes: {}, providerAccountId: '' }
const token = new Secret('canary-token')

/** A client whose every operation answers what `answer` says. */
function governed(limits?: { concurrency: number; perSecond: number }) {
  const driver = createDriver(limits)
  const asked: string[] = []
  const script: { answer: () => Promise<Result<never>> } = { answer: async () => success({} as never) }
  const operation = (name: string) => () => {
    asked.push(name)
    return script.answer()
  }
  const fake: Pick<OAuthClient, 'definition' | 'exchange' | 'refresh' | 'migrate' | 'verify' | 'revoke'> = {
    definition: operation('definition') as () => Promise<Result<Definition>>,
    exchange: operation('exchange'),
    refresh: operation('refresh'),
    migrate: operation('migrate'),
    verify: operation('verify'),
    revoke: operation('revoke'),
  }
  const client = governClient(fake as OAuthClient, driver.governor, driver.clock)
  const calls = {
    exchange: () => client.exchange({ ...about, code: token, redirectUri: 'https://broker.example/' }),
    migrate: () => client.migrate({ ...about, accessToken: token }),
    verify: () => client.verify({ ...about, accessToken: token }),
    revoke: () => client.revoke({ ...about, token, hint: 'refresh_token' }),
  }
  return { ...driver, client, calls, asked, script }
}

const OPERATIONS = ['exchange', 'migrate', 'verify', 'revoke'] as const

describe('a request that may not be sent', () => {
  it.each(OPERATIONS)('fails without one, and says when to ask again: %s', async name => {
    const { calls, asked, send } = governed()
    await send(5, failures.unknown)
    expect(await calls[name]()).toEqual({
      ok: false,
      failure: {
        class: 'retry',
        outcomeUnknown: false,
        providerCode: '',
        message: 'not sent: the provider does not answer; it is asked again every 30 seconds',
        retryAfterMs: 30_000,
      },
    })
    expect(asked).toEqual([])
  })

  it.each(['exchange', 'migrate', 'revoke'] as const)(
    'is our fault if the client is refused: %s',
    async name => {
      const { calls, asked, send } = governed()
      await send(1, failures.client)
      expect(await calls[name]()).toMatchObject({
        ok: false,
        failure: { class: 'client', outcomeUnknown: false },
      })
      expect(asked).toEqual([])
    },
  )

  it.each(OPERATIONS)('waits for half a minute at the most: %s', async name => {
    const { calls, clock, asked, pass } = governed({ concurrency: 1, perSecond: 1_000 })
    await pass()
    const waiting = calls[name]()
    await clock.advance(30_000)
    expect(await waiting).toMatchObject({ ok: false, failure: { class: 'retry', retryAfterMs: 1_000 } })
    expect(asked).toEqual([])
  })
})

describe('a request', () => {
  it.each(OPERATIONS)('holds its place until it has ended, even by a fault: %s', async name => {
    const { calls, governor, script } = governed()
    const answer = Promise.withResolvers<Result<never>>()
    script.answer = () => answer.promise
    const call = calls[name]()
    await settle()
    expect(governor.snapshot().inFlight).toBe(1)
    answer.reject(new Error('broken'))
    await expect(call).rejects.toThrow('broken')
    expect(governor.snapshot().inFlight).toBe(0)
  })

  it('tells the governor how it went where it is about the client', async () => {
    const { calls, clock, governor, script } = governed()
    await calls.exchange()
    expect(governor.snapshot().lastSuccessAt).toBe(clock.now())
    script.answer = async () => failed(failures.client)
    await calls.verify()
    await calls.revoke()
    expect(governor.snapshot().misconfiguredSince).toBeUndefined()
    await calls.migrate()
    expect(governor.snapshot().misconfiguredSince).toBe(clock.now())
  })

  it('says nothing about grants if a code is refused', async () => {
    const { calls, governor, script } = governed()
    script.answer = async () => failed(failures.refused)
    for (let turn = 0; turn < 20; turn++) await calls.exchange()
    expect(governor.holdsVerdicts()).toBe(false)
  })

  it('for a refresh is left to whoever holds a pass', async () => {
    const { client, asked, governor, send } = governed()
    await send(5, failures.unknown)
    await client.refresh({ ...about, scopes: [] })
    expect(asked).toEqual(['refresh'])
    expect(governor.snapshot().inFlight).toBe(0)
  })
})

describe('discovery', () => {
  it('takes no pass, since those who hold one wait for it', async () => {
    const { client, asked, pass } = governed({ concurrency: 1, perSecond: 1_000 })
    await pass()
    expect(await client.definition()).toMatchObject({ ok: true })
    expect(asked).toEqual(['definition'])
  })

  it('fails without a request for half a minute while the provider is only probed', async () => {
    const { client, clock, asked, script, send } = governed()
    script.answer = async () => failed(failures.unreached)
    await client.definition()
    await client.definition()
    expect(asked).toHaveLength(2)
    await send(5, failures.unreached)
    for (let turn = 0; turn < 5; turn++) await client.definition()
    expect(asked).toHaveLength(3)
    await clock.advance(30_000)
    script.answer = async () => success({} as never)
    expect(await client.definition()).toMatchObject({ ok: true })
    await client.definition()
    expect(asked).toHaveLength(5)
  })
})
