import { once } from 'node:events'
import { connect } from 'node:http2'
import { type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Broker } from '../../src/broker/broker.ts'
import type { AllowRule, CallerConfig } from '../../src/config/config.ts'
import { GetAccessTokenRequest, WatchAccessTokensRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createFakeBroker, TOKEN } from './fake-broker.ts'
import {
  bearer,
  call,
  callerNamed,
  decodeFailure,
  expiring,
  failureOf,
  type RunningServer,
  startServer,
} from './running-server.ts'

const ACME = { provider: 'pinterest', account: 'acme' }
/** How often open streams are looked at; below the second that is promised. */
const CHECK_MS = 900

let running: RunningServer
afterEach(() => running.stop())

async function start(callers: CallerConfig[], broker: Partial<Broker> = {}) {
  running = await startServer({ callers, broker })
  return running
}

/** Takes other callers as a reload does. */
function reload(...callers: CallerConfig[]) {
  running.callers.replace(callers)
  running.server.checkStreams()
}

const rule = (...methods: string[]): AllowRule => ({ providers: ['pinterest'], accounts: ['acme'], methods })

const getToken = (token: string, requiredScopes: string[] = []) =>
  call(
    running.tokens,
    running.tokens.getAccessToken,
    GetAccessTokenRequest.fromPartial({ ...ACME, requiredScopes }),
    bearer(token),
  )

/** How a stream ends, whose first message has come: from then on it is silent. */
async function silentStream(stream: ClientReadableStream<unknown>) {
  const failure = new Promise<Parameters<typeof decodeFailure>[0]>(resolve => {
    stream.on('error', error => resolve(error as ServiceError))
  })
  await once(stream, 'data')
  return { end: failure.then(decodeFailure), stop: () => stream.cancel() }
}

/** Begins a call and holds its request back: what it ends with is told once that is sent. */
async function heldCall(method: string, message: Uint8Array) {
  const session = connect(`http://127.0.0.1:${running.port}`)
  const headers = {
    ...{ ':method': 'POST', ':path': `/tokenbroker.v1.TokenBrokerService/${method}` },
    ...{ 'content-type': 'application/grpc', te: 'trailers', authorization: 'Bearer service' },
  }
  const stream = session.request(headers, { endStream: false })
  // Its deadline is set when it has been admitted.
  await expect.poll(() => running.clock.pending()).not.toEqual([])
  return async () => {
    const length = Buffer.alloc(5)
    length.writeUInt32BE(message.length, 1)
    const status = new Promise(resolve => {
      for (const name of ['response', 'trailers'])
        stream.on(name, fields => 'grpc-status' in fields && resolve(Number(fields['grpc-status'])))
    })
    stream.resume().end(Buffer.concat([length, message]))
    const answer = await status
    session.destroy()
    return answer
  }
}

const HELD: [string, Uint8Array][] = [
  ['GetAccessToken', GetAccessTokenRequest.encode(GetAccessTokenRequest.fromPartial(ACME)).finish()],
  ['WatchAccessTokens', WatchAccessTokensRequest.encode({ connections: [ACME] }).finish()],
]

const STREAMS: Record<string, () => ClientReadableStream<unknown>> = {
  WatchAccessTokens: () => running.tokens.watchAccessTokens({ connections: [ACME] }, bearer('service')),
  WatchConnections: () => running.admin.watchConnections({ provider: '' }, bearer('service')),
}

describe('rules that have changed', () => {
  it('count from the next call on, over connections that are open', async () => {
    await start([callerNamed('service', rule('GetStatus'))])
    expect((await failureOf(getToken('service'))).reason).toBe('ACCESS_DENIED')
    reload(callerNamed('service', rule('GetAccessToken')))
    expect((await getToken('service')).token?.version).toBe(TOKEN.version)
    reload(callerNamed('other', rule('GetAccessToken')))
    expect((await failureOf(getToken('service'))).reason).toBe('CALLER_UNAUTHENTICATED')
  })

  it.each(HELD)('are those that count when the request of a %s comes late', async (method, message) => {
    await start([callerNamed('service', rule(method))])
    const unknown = await heldCall(method, message)
    reload()
    expect(await unknown()).toBe(status.UNAUTHENTICATED)
    reload(callerNamed('service', rule(method)))
    const forbidden = await heldCall(method, message)
    reload(callerNamed('service', rule('GetStatus')))
    expect(await forbidden()).toBe(status.PERMISSION_DENIED)
    reload(callerNamed('service', rule(method)))
    const renamed = await heldCall(method, message)
    reload({ ...callerNamed('service', rule(method)), name: 'renamed' })
    expect(await renamed()).toBe(status.UNAUTHENTICATED)
  })

  it.each(Object.keys(STREAMS))(
    'end a silent %s at once if its caller may not have it any more',
    async method => {
      const { denials, log } = await start([callerNamed('service', rule(method))])
      const { end } = await silentStream((STREAMS[method] as () => never)())
      reload(callerNamed('service', rule('GetStatus')))
      expect(await end).toMatchObject({ code: status.PERMISSION_DENIED, reason: 'ACCESS_DENIED' })
      expect(denials).toMatchObject([{ reason: 'ACCESS_DENIED', method, caller: { name: 'service' } }])
      expect(log.lines.map(({ message }) => message)).toEqual(['Call refused'])
    },
  )

  it('are recorded with each connection of a stream that the caller may not have', async () => {
    const { denials, tokens } = await start([callerNamed('service', rule('WatchAccessTokens'))])
    const others = ['ceo', 'cfo'].map(account => ({ provider: 'pinterest', account }))
    const stream = tokens.watchAccessTokens({ connections: [ACME, ...others] }, bearer('service'))
    await once(stream, 'error')
    expect(denials).toMatchObject(others)
  })

  it.each(Object.keys(STREAMS))(
    'end a silent %s at once if its caller is gone, or is another',
    async method => {
      await start([callerNamed('service', rule(method))])
      const open = STREAMS[method] as () => never
      const gone = await silentStream(open())
      reload()
      expect(await gone.end).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'CALLER_UNAUTHENTICATED' })
      reload(callerNamed('service', rule(method)))
      const renamed = await silentStream(open())
      reload({ ...callerNamed('service', rule(method)), name: 'renamed' })
      expect(await renamed.end).toMatchObject({ code: status.UNAUTHENTICATED })
    },
  )

  it.each(Object.keys(STREAMS))('leave a %s alone whose caller still may', async method => {
    const { denials } = await start([callerNamed('service', rule(method))])
    const { stop, end } = await silentStream((STREAMS[method] as () => never)())
    reload(callerNamed('service', rule('*')), callerNamed('other', rule('*')))
    expect(denials).toEqual([])
    stop()
    expect((await end).code).toBe(status.CANCELLED)
  })

  it('end one that loses one of its many connections', async () => {
    const zeta = { ...ACME, account: 'zeta' }
    const both = { ...rule('WatchAccessTokens'), accounts: ['acme', 'zeta'] }
    const { tokens, denials } = await start([callerNamed('service', both)])
    const stream = tokens.watchAccessTokens({ connections: [ACME, zeta] }, bearer('service'))
    const { end } = await silentStream(stream)
    reload(callerNamed('service', { ...both, accounts: ['acme'] }))
    expect(await end).toMatchObject({
      reason: 'ACCESS_DENIED',
      message: expect.stringContaining('pinterest account "zeta"'),
      metadata: { caller: 'service', method: 'WatchAccessTokens', ...zeta },
    })
    expect(denials).toMatchObject([{ reason: 'ACCESS_DENIED', ...zeta }])
  })

  it('let go of a thousand streams at once, and of what each of them counts for', async () => {
    await start([callerNamed('service', rule('WatchAccessTokens'))])
    const open = () => silentStream(STREAMS.WatchAccessTokens?.() as never)
    const streams = await Promise.all(Array.from({ length: 900 }, open))
    reload()
    const ends = await Promise.all(streams.map(({ end }) => end))
    expect(new Set(ends.map(({ reason }) => reason))).toEqual(new Set(['CALLER_UNAUTHENTICATED']))
    reload(callerNamed('service', rule('WatchAccessTokens')))
    const { stop, end } = await open()
    stop()
    await end
  })
})

describe('a right that ends by time', () => {
  it.each(Object.keys(STREAMS))('ends a silent %s within a second', async method => {
    const expiresAtMs = Date.now() + 60_000
    const { clock } = await start([expiring(callerNamed('service', rule(method)), expiresAtMs)])
    const { end } = await silentStream((STREAMS[method] as () => never)())
    clock.fire(CHECK_MS)
    Object.assign(clock, { now: () => expiresAtMs })
    expect(clock.pending()).toEqual([CHECK_MS])
    clock.fire(CHECK_MS)
    expect(await end).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'CALLER_UNAUTHENTICATED' })
    await expect.poll(() => clock.pending()).toEqual([])
  })
})

describe('calls_per_minute', () => {
  it('refuses a caller what is too much, whatever it calls, and says when to come again', async () => {
    const limited = {
      ...callerNamed('service', rule('GetAccessToken', 'WatchConnections')),
      callsPerMinute: 3,
    }
    const { denials, tokens } = await start([limited, callerNamed('other', rule('GetAccessToken'))])
    await getToken('service')
    const { stop } = await silentStream(STREAMS.WatchConnections?.() as never)
    const denied = call(tokens, tokens.refresh, ACME, bearer('service'))
    expect((await failureOf(denied)).reason).toBe('ACCESS_DENIED')
    const failure = await failureOf(getToken('service'))
    expect(failure).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: 'RATE_LIMITED',
      metadata: { caller: 'service', limit: '3' },
    })
    expect(failure.retryMs).toBeGreaterThan(0)
    expect(failure.retryMs).toBeLessThanOrEqual(20_000)
    expect(denials.at(-1)).toMatchObject({
      reason: 'RATE_LIMITED',
      method: 'GetAccessToken',
      caller: { name: 'service' },
    })
    await getToken('other')
    stop()
  })

  it('does not begin anew when the rules are read again', async () => {
    const limited = { ...callerNamed('service', rule('GetAccessToken')), callsPerMinute: 1 }
    await start([limited])
    await getToken('service')
    reload(limited)
    expect((await failureOf(getToken('service'))).reason).toBe('RATE_LIMITED')
    reload(callerNamed('service', rule('GetAccessToken')))
    await getToken('service')
  })
})

describe('the scopes of a rule', () => {
  const scoped: AllowRule = { ...rule('GetAccessToken', 'CreateConsentLink'), scopes: ['ads:*', 'pins'] }

  it('are those that a call may require; without any, every call may', async () => {
    const asked: unknown[] = []
    const { getAccessToken } = createFakeBroker()
    await start([callerNamed('service', scoped)], {
      getAccessToken(request) {
        asked.push(request.requiredScopes)
        return getAccessToken(request)
      },
    })
    await getToken('service')
    await getToken('service', ['ads:read', 'ads:', 'pins'])
    const failure = await failureOf(getToken('service', ['ads:read', 'pins2', 'boards']))
    expect(failure).toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: 'ACCESS_DENIED',
      metadata: { caller: 'service', method: 'GetAccessToken', scopes: 'pins2 boards' },
    })
    expect(asked).toEqual([[], ['ads:read', 'ads:', 'pins']])
  })

  it('are those that a consent link may ask for', async () => {
    const { admin } = await start([callerNamed('service', scoped)])
    const link = (...scopes: string[]) =>
      call(
        admin,
        admin.createConsentLink,
        { ...ACME, scopes, variables: {}, subject: '', returnId: '', allowAccountChange: false },
        bearer('service'),
      )
    await link()
    await link('ads:write')
    expect((await failureOf(link('boards'))).reason).toBe('ACCESS_DENIED')
  })

  it('of several rules add up, and one without lets it require any', async () => {
    await start([
      callerNamed('both', { ...scoped, scopes: ['a'] }, { ...scoped, scopes: ['b'] }),
      callerNamed('any', scoped, rule('GetAccessToken')),
      callerNamed('elsewhere', scoped, { ...rule('GetAccessToken'), accounts: ['zeta'] }),
    ])
    await getToken('both', ['a', 'b'])
    await getToken('any', ['boards'])
    expect((await failureOf(getToken('elsewhere', ['boards']))).reason).toBe('ACCESS_DENIED')
  })

  it('say nothing of a connection that the caller may not see', async () => {
    await start([callerNamed('service', { ...scoped, accounts: ['zeta'] })])
    const [first, second] = [
      await failureOf(getToken('service', ['boards'])),
      await failureOf(getToken('service')),
    ]
    expect(first).toEqual(second)
    expect(first.metadata).toEqual({ caller: 'service', method: 'GetAccessToken' })
  })
})
