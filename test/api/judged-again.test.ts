import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Broker } from '../../src/broker/broker.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import type { AllowRule, CallerConfig } from '../../src/config/config.ts'
import { createFakeBroker, TOKEN } from './fake-broker.ts'
import {
  bearer,
  call,
  callerNamed,
  expiring,
  failureOf,
  type RunningServer,
  startServer,
} from './running-server.ts'

const ACME = { provider: 'pinterest', account: 'acme' }
const METHODS = ['GetAccessToken', 'GetStatus', 'Refresh'] as const
type Method = (typeof METHODS)[number]

let running: RunningServer
afterEach(() => running.stop())

const rule = (...methods: string[]): AllowRule => ({ providers: ['pinterest'], accounts: ['acme'], methods })

/** A server whose broker answers what would take long when `finish` lets it, after `asked`. */
async function start(callers: CallerConfig[], refusal?: BrokerError) {
  const gate = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const { getAccessToken, getStatus, refresh } = createFakeBroker()
  async function wait(): Promise<void> {
    began.resolve()
    await gate.promise
    if (refusal !== undefined) throw refusal
  }
  const broker: Partial<Broker> = {
    async getAccessToken(request) {
      await wait()
      request.authorize?.()
      return getAccessToken(request)
    },
    getStatus: async request => wait().then(() => getStatus(request)),
    refresh: async request => wait().then(() => refresh(request)),
  }
  running = await startServer({ callers, broker })
  return { ...running, asked: began.promise, finish: gate.resolve }
}

function reload(...callers: CallerConfig[]) {
  running.callers.replace(callers)
  running.server.checkStreams()
}

function ask(method: Method, requiredScopes: string[] = []): Promise<unknown> {
  const { tokens } = running
  const token = bearer('service')
  switch (method) {
    case 'GetAccessToken':
      return call(
        tokens,
        tokens.getAccessToken,
        { ...ACME, requiredScopes, minTtl: undefined, rejectedVersion: '' },
        token,
      )
    case 'GetStatus':
      return call(tokens, tokens.getStatus, { ...ACME, verify: true }, token)
    case 'Refresh':
      return call(tokens, tokens.refresh, ACME, token)
  }
}

/** What was recorded of refused calls, without what tells one call from another. */
const recorded = () =>
  running.denials.map(({ origin, caller, ...denial }) => {
    return { ...denial, caller: caller?.name, authentication: caller?.authentication }
  })

describe('a call that took long', () => {
  const unavailable = new BrokerError('PROVIDER_UNAVAILABLE', 'pinterest has not answered yet')
  const outcomes: [string, BrokerError | undefined][] = [
    ['an answer', undefined],
    ['a failure', unavailable],
  ]

  describe.each(METHODS)('of %s', method => {
    it.each(outcomes)(
      'ends like one that comes now if its right was taken meanwhile: %s',
      async (_, refusal) => {
        const { asked, finish } = await start([callerNamed('service', rule(method))], refusal)
        const late = failureOf(ask(method))
        await asked
        reload(callerNamed('service', rule('Disconnect')))
        finish()
        const refused = await late
        expect(refused).toMatchObject({ code: status.PERMISSION_DENIED, reason: 'ACCESS_DENIED' })
        expect(await failureOf(ask(method))).toEqual(refused)
        const denial = { reason: 'ACCESS_DENIED', method, ...ACME, caller: 'service' }
        const entry = { ...denial, authentication: 'static_token' }
        expect(recorded()).toEqual([entry, entry])
      },
    )

    it('is refused if its caller is gone, or its token has ended', async () => {
      const caller = callerNamed('service', rule(method))
      for (const change of [[], [expiring(caller, 1)]]) {
        const { asked, finish, denials } = await start([caller])
        const late = failureOf(ask(method))
        await asked
        reload(...change)
        finish()
        const refused = await late
        expect(refused.reason).toBe('CALLER_UNAUTHENTICATED')
        expect(denials).toMatchObject([{ reason: 'CALLER_UNAUTHENTICATED', method }])
        expect(await failureOf(ask(method))).toEqual(refused)
        running.stop()
      }
    })

    it('is answered if other rules still allow it', async () => {
      const { asked, finish, denials } = await start([callerNamed('service', rule(method))])
      const late = ask(method)
      await asked
      reload(callerNamed('service', { ...rule('*'), accounts: ['*'] }))
      finish()
      await late
      expect(denials).toEqual([])
    })
  })

  it('of GetAccessToken ends if the scopes that it requires may not be named any more', async () => {
    const scoped = (...scopes: string[]) => callerNamed('service', { ...rule('GetAccessToken'), scopes })
    const { asked, finish } = await start([scoped('ads:read')])
    const late = failureOf(ask('GetAccessToken', ['ads:read']))
    await asked
    reload(scoped('pins'))
    finish()
    const refused = await late
    expect(refused.metadata).toMatchObject({ scopes: 'ads:read' })
    expect(await failureOf(ask('GetAccessToken', ['ads:read']))).toEqual(refused)
  })

  it('of Disconnect tells what it has done', async () => {
    const gate = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const { disconnect } = createFakeBroker()
    running = await startServer({
      callers: [callerNamed('service', rule('Disconnect'))],
      broker: {
        async disconnect(request) {
          began.resolve()
          await gate.promise
          return disconnect(request)
        },
      },
    })
    const { tokens } = running
    const late = call(tokens, tokens.disconnect, { ...ACME, shared: 0 }, bearer('service'))
    await began.promise
    reload(callerNamed('service', rule('GetStatus')))
    gate.resolve()
    expect(await late).toHaveProperty('revocation')
  })
})

describe('a token', () => {
  it('does not leave if the right to it was taken while its release was recorded', async () => {
    const { getAccessToken } = createFakeBroker()
    running = await startServer({
      callers: [callerNamed('service', rule('GetAccessToken'))],
      broker: {
        async getAccessToken(request) {
          request.authorize?.()
          reload(callerNamed('service', rule('GetStatus')))
          return getAccessToken(request)
        },
      },
    })
    const failure = await failureOf(ask('GetAccessToken'))
    expect(failure.reason).toBe('ACCESS_DENIED')
    expect(JSON.stringify(failure)).not.toContain(TOKEN.accessToken.expose())
  })
})
