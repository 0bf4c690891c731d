import { once } from 'node:events'
import { connect } from 'node:http2'
import { type ClientReadableStream, credentials, type ServiceError, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { CALL_MS_DEFAULT, RECEIVE_BYTES_MAX, WATCHES_PER_CALLER_MAX } from '../../src/api/limits.ts'
import { createWatchLimit } from '../../src/api/watch-limit.ts'
import type { Broker, TokenState } from '../../src/broker/broker.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import {
  ConnectionState,
  TokenBrokerServiceClient,
  WatchAccessTokensRequest,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { aborted, STATUS, TOKEN } from './fake-broker.ts'
import {
  bearer,
  call,
  callerNamed,
  decodeFailure,
  expiring,
  OPERATOR_TOKEN,
  type RunningServer,
  startServer,
} from './running-server.ts'

const ACME = { provider: 'pinterest', account: 'acme' }
const ZETA = { provider: 'pinterest', account: 'zeta' }
const PATH = '/tokenbroker.v1.TokenBrokerService/WatchAccessTokens'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []) {
  running = await startServer({ broker, callers })
  return running
}

function watch(connections: readonly { provider: string; account: string }[] = [ACME], token?: string) {
  return running.tokens.watchAccessTokens({ connections: [...connections] }, bearer(token ?? OPERATOR_TOKEN))
}

/** The next message of a stream. */
async function next<Message>(stream: ClientReadableStream<Message>): Promise<Message> {
  const [message] = await once(stream, 'data')
  return message
}

/** How a stream ends that must fail. */
async function endOf(stream: ClientReadableStream<unknown>) {
  stream.resume()
  const failure = Promise.withResolvers<Parameters<typeof decodeFailure>[0]>()
  stream.on('error', error => failure.resolve(error as ServiceError))
  return decodeFailure(await failure.promise)
}

/** A broker whose one watch says what a test wants, when it wants. */
function createSpeaker() {
  const opened = Promise.withResolvers<Parameters<Broker['watchAccessTokens']>[0]>()
  const ended = Promise.withResolvers<void>()
  const said: TokenState[] = []
  let wake = () => {}
  const broker: Partial<Broker> = {
    async *watchAccessTokens(request) {
      opened.resolve(request)
      try {
        while (!request.signal.aborted) {
          for (const state of said.splice(0)) {
            request.authorize(state.connection)
            yield state
          }
          const more = new Promise<void>(resolve => {
            wake = resolve
          })
          await Promise.race([more, aborted(request.signal)])
        }
      } finally {
        ended.resolve()
      }
    },
  }
  const say = (state: TokenState) => {
    said.push(state)
    wake()
  }
  return { broker, say, opened: opened.promise, ended: ended.promise }
}

/** Opens a watch whose client is this test and not grpc-js, which reads ahead without end. */
function openRaw(port: number) {
  const session = connect(`http://127.0.0.1:${port}`)
  const request = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${OPERATOR_TOKEN}`,
  })
  request.on('error', () => {})
  return { session, request }
}

describe('WatchAccessTokens', () => {
  it.each([
    ['no connections', [], { connections: 'must be from 1 to 1000' }],
    ['too many', Array.from({ length: 1_001 }, () => ACME), { connections: 'must be from 1 to 1000' }],
    [
      'a malformed name',
      [ACME, { provider: 'P', account: 'a\n' }],
      {
        'connections[1].provider': expect.stringContaining('must be'),
        'connections[1].account': expect.stringContaining('control'),
      },
    ],
  ])('of %s is malformed', async (_, connections, violations) => {
    await start()
    const failure = await endOf(watch(connections))
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, reason: 'INVALID_REQUEST', violations })
  })

  it('takes 1,000 connections with the longest names that there are', async () => {
    await start()
    const connections = Array.from({ length: 1_000 }, (_, i) => ({
      provider: 'p'.repeat(63),
      account: String(i).padStart(256, 'x'),
    }))
    const bytes = WatchAccessTokensRequest.encode({ connections }).finish().byteLength
    expect(bytes).toBeLessThan(RECEIVE_BYTES_MAX)
    const stream = watch(connections)
    const seen: unknown[] = []
    for await (const message of stream) if (seen.push(message) === 1_000) break
    expect(seen).toHaveLength(1_000)
  })

  it('sends tokens and errors in the words of GetAccessToken, and goes on', async () => {
    const { broker, say } = createSpeaker()
    await start(broker)
    const stream = watch()
    say({ connection: ACME, error: new BrokerError('REAUTH_REQUIRED', 'the grant is dead') })
    expect(await next(stream)).toEqual({
      connection: ACME,
      state: {
        $case: 'error',
        value: { code: status.FAILED_PRECONDITION, reason: 'REAUTH_REQUIRED', message: 'the grant is dead' },
      },
    })
    say({ connection: ACME, token: TOKEN })
    expect(await next(stream)).toMatchObject({
      connection: ACME,
      state: { $case: 'token', value: { accessToken: TOKEN.accessToken.expose(), version: TOKEN.version } },
    })
    stream.on('error', () => {})
    stream.cancel()
  })

  it('says at once that it is open, however long there is nothing to tell', async () => {
    const { broker, opened } = createSpeaker()
    await start(broker)
    const stream = watch()
    stream.on('error', () => {}).resume()
    await Promise.all([once(stream, 'metadata'), opened])
    stream.cancel()
  })

  it('does not say so where it is refused', async () => {
    const { broker } = createSpeaker()
    await start(broker, [callerNamed('service')])
    const stream = watch([ACME], 'service')
    let isOpen = false
    stream.on('metadata', () => {
      isOpen = true
    })
    expect((await endOf(stream)).reason).toBe('ACCESS_DENIED')
    expect(isOpen).toBe(false)
  })

  it('tells the broker when the client has gone', async () => {
    const { broker, opened, ended } = createSpeaker()
    await start(broker)
    const stream = watch()
    stream.on('error', () => {})
    const { signal } = await opened
    stream.cancel()
    await ended
    expect(signal.aborted).toBe(true)
  })

  it('ends with BROKER_UNAVAILABLE when the broker drains', async () => {
    const { broker, opened, ended } = createSpeaker()
    const { server } = await start(broker)
    const end = endOf(watch())
    await opened
    await server.drain()
    expect(await end).toMatchObject({
      code: status.UNAVAILABLE,
      reason: 'BROKER_UNAVAILABLE',
      retryMs: 1_000,
    })
    await ended
  })

  it('ends when the token of its caller has expired, before the next message', async () => {
    const { broker, say, opened } = createSpeaker()
    const rule = { providers: ['pinterest'], accounts: ['acme'], methods: ['WatchAccessTokens'] }
    const expiresAtMs = Date.now() + 60_000
    const { clock } = await start(broker, [expiring(callerNamed('service', rule), expiresAtMs)])
    const end = endOf(watch([ACME], 'service'))
    await opened
    Object.assign(clock, { now: () => expiresAtMs })
    say({ connection: ACME, token: TOKEN })
    expect(await end).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'CALLER_UNAUTHENTICATED' })
  })

  it('ends at a connection that the caller has no right to', async () => {
    const { broker, say } = createSpeaker()
    const rule = { providers: ['pinterest'], accounts: ['acme'], methods: ['WatchAccessTokens'] }
    await start(broker, [callerNamed('service', rule)])
    const end = endOf(watch([ACME], 'service'))
    say({ connection: ZETA, token: TOKEN })
    expect(await end).toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: 'ACCESS_DENIED',
      metadata: ZETA,
    })
  })

  it('ends at a defect without its text, and with one line of the log', async () => {
    const { log } = await start({
      watchAccessTokens: () => {
        throw new TypeError('canary')
      },
    })
    expect(await endOf(watch())).toMatchObject({ code: status.INTERNAL, reason: 'INTERNAL' })
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
  })

  it('has no deadline of its own once it is asked for, but must be asked for in time', async () => {
    const { port, clock } = await start()
    const stream = watch()
    await next(stream)
    stream.on('error', () => {})
    expect(clock.pending()).not.toContain(CALL_MS_DEFAULT)
    stream.cancel()

    const { session, request } = openRaw(port)
    request.write(Buffer.from([0, 0, 0, 0, 9]))
    await expect.poll(() => clock.pending()).toEqual([CALL_MS_DEFAULT])
    clock.fire(CALL_MS_DEFAULT)
    const [headers] = await once(request, 'response')
    expect(Number(headers['grpc-status'])).toBe(status.DEADLINE_EXCEEDED)
    session.destroy()
  })

  it('makes nothing for a reader who does not read', async () => {
    let made = 0
    const { tokens, port } = await start({
      async *watchAccessTokens({ signal }) {
        const attributes = { long: 'x'.repeat(60_000) }
        while (!signal.aborted) {
          made++
          yield { connection: ACME, token: { ...TOKEN, attributes } }
        }
      },
    })
    const { session, request } = openRaw(port)
    request.pause()
    const message = WatchAccessTokensRequest.encode({ connections: [ACME] }).finish()
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    request.end(Buffer.concat([head, message]))
    await once(request, 'response')
    const name = { ...ACME, verify: false }
    for (let i = 0; i < 100; i++) await call(tokens, tokens.getStatus, name)
    // One fills the 64 KiB that HTTP/2 lets it send unread, the next waits behind it.
    expect(made).toBe(2)
    session.destroy()
  })
})

describe('WatchConnections', () => {
  it('refuses a malformed provider', async () => {
    const { admin } = await start()
    const failure = await endOf(admin.watchConnections({ provider: 'P' }, bearer(OPERATOR_TOKEN)))
    expect(Object.keys(failure.violations)).toEqual(['provider'])
  })

  it('says at once that it is open, even if there is no connection', async () => {
    const { admin } = await start({
      async *watchConnections({ signal }) {
        yield* []
        await aborted(signal)
      },
    })
    const stream = admin.watchConnections({ provider: '' }, bearer(OPERATOR_TOKEN))
    stream.on('error', () => {}).resume()
    await once(stream, 'metadata')
    stream.cancel()
  })

  it('sends states of what the caller may see', async () => {
    const rule = { providers: ['pinterest'], accounts: ['zeta'], methods: ['WatchConnections'] }
    const { admin } = await start({}, [callerNamed('service', rule)])
    const stream = admin.watchConnections({ provider: '' }, bearer('service'))
    expect(await next(stream)).toMatchObject({
      status: { ...ZETA, state: ConnectionState.ACTIVE, version: STATUS.version },
    })
    stream.on('error', () => {})
    stream.cancel()
  })

  it('ends when its caller may not call it for anything any more', async () => {
    const methods = ['WatchConnections']
    const { admin } = await start(
      {
        async *watchConnections({ visible }) {
          yield STATUS
          methods.pop()
          if (visible(STATUS)) yield STATUS
        },
      },
      [callerNamed('service', { providers: ['*'], accounts: ['*'], methods })],
    )
    const failure = await endOf(admin.watchConnections({ provider: '' }, bearer('service')))
    expect(failure).toMatchObject({ code: status.PERMISSION_DENIED, reason: 'ACCESS_DENIED' })
  })
})

describe('the watches of one caller', () => {
  it.each([100, WATCHES_PER_CALLER_MAX])(
    'on one connection leave it to its calls: %i of them',
    async count => {
      const { tokens } = await start()
      const streams = Array.from({ length: count }, () => watch())
      for (const stream of streams) stream.on('error', () => {})
      await Promise.all(streams.map(next))
      const name = { ...ACME, verify: false }
      const calls = Array.from({ length: 90 }, () =>
        call(tokens, tokens.getStatus, name, bearer(OPERATOR_TOKEN), Date.now() + 5_000),
      )
      expect(await Promise.all(calls)).toHaveLength(90)
      for (const stream of streams) stream.cancel()
    },
  )

  it('end at a limit, which leaves other callers alone and makes room again', async () => {
    const rule = { providers: ['*'], accounts: ['*'], methods: ['*'] }
    await start({}, [callerNamed('other', rule)])
    const streams = Array.from({ length: WATCHES_PER_CALLER_MAX }, () => watch())
    for (const stream of streams) stream.on('error', () => {})
    await Promise.all(streams.map(next))
    expect(await endOf(watch())).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: 'RATE_LIMITED',
      retryMs: 10_000,
      message: expect.stringContaining('the caller operator'),
    })
    const options = { 'grpc.use_local_subchannel_pool': 1 }
    const elsewhere = new TokenBrokerServiceClient(
      `127.0.0.1:${running.port}`,
      credentials.createInsecure(),
      options,
    )
    const other = elsewhere.watchAccessTokens({ connections: [ACME] }, bearer('other'))
    await next(other)
    const [first] = streams
    first?.cancel()
    other.on('error', () => {}).cancel()
    elsewhere.close()
    await expect
      .poll(async () => {
        const again = watch()
        again.on('error', () => {})
        const got = await Promise.race([next(again), once(again, 'status').then(() => undefined)])
        return got !== undefined
      })
      .toBe(true)
    for (const stream of streams) stream.cancel()
  })

  it('may not carry more than 100,000 connections together', () => {
    const limit = createWatchLimit()
    const leave = limit.enter('service', 99_000)
    limit.enter('service', 1_000)
    expect(() => limit.enter('service', 1)).toThrow(expect.objectContaining({ reason: 'RATE_LIMITED' }))
    limit.enter('other', 100_000)
    leave()
    limit.enter('service', 99_000)
  })
})
