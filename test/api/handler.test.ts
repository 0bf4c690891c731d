import { once } from 'node:events'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { CALL_MS_DEFAULT, CALL_MS_MAX } from '../../src/api/limits.ts'
import type { Broker, TokenRequest } from '../../src/broker/broker.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { GetAccessTokenRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { TOKEN } from './fake-broker.ts'
import { bearer, call, failureOf, OPERATOR_TOKEN, type RunningServer, startServer } from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })
const CANARY = 'canary-7f3a'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker>) {
  running = await startServer({ broker })
  return running.tokens
}

/** A broker whose calls begin, wait, and end only when the test or their signal says so. */
function createWaitingBroker() {
  const begun = Promise.withResolvers<TokenRequest>()
  const aborted = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<typeof TOKEN>()
  const broker: Partial<Broker> = {
    getAccessToken(request) {
      request.signal?.addEventListener('abort', () => aborted.resolve())
      begun.resolve(request)
      return finish.promise
    },
  }
  return { broker, begun: begun.promise, aborted: aborted.promise, finish }
}

describe('a defect', () => {
  it.each([
    ['an error', () => Promise.reject(new TypeError(CANARY))],
    ['no error at all', () => Promise.reject(CANARY)],
    [
      'a synchronous error',
      () => {
        throw new Error(CANARY)
      },
    ],
    ['something that cannot be encoded', async () => ({ ...TOKEN, expiresAt: Number.NaN })],
    ['nothing', async () => undefined as never],
  ])('of %s becomes INTERNAL without its text, and one line of the log', async (_, getAccessToken) => {
    const client = await start({ getAccessToken })
    const failure = await failureOf(call(client, client.getAccessToken, REQUEST))
    expect(failure).toMatchObject({ code: status.INTERNAL, reason: 'INTERNAL', domain: 'tokenbroker' })
    expect(failure.message + failure.bytes).not.toContain(CANARY)
    expect(running.log.lines.map(({ level }) => level)).toEqual(['error'])
    expect(running.log.lines[0]?.fields).toMatchObject({
      method: '/tokenbroker.v1.TokenBrokerService/GetAccessToken',
    })
    expect(running.log.lines[0]?.fields).toHaveProperty('error')
    expect(running.log.lines[0]?.fields.caller).toBe('operator')
  })

  it('leaves the next call alone', async () => {
    let calls = 0
    const client = await start({
      getAccessToken: async () => {
        if (++calls === 1) throw new Error(CANARY)
        return TOKEN
      },
    })
    await failureOf(call(client, client.getAccessToken, REQUEST))
    expect((await call(client, client.getAccessToken, REQUEST)).token?.version).toBe(TOKEN.version)
  })
})

describe('a refusal', () => {
  it('keeps code, reason, sentence and details, and is logged for debugging only', async () => {
    const client = await start({
      getAccessToken: () =>
        Promise.reject(
          new BrokerError('REAUTH_REQUIRED', 'the grant is dead; connect again', {
            metadata: { provider: 'pinterest' },
            help: 'create a consent link',
          }),
        ),
    })
    expect(await failureOf(call(client, client.getAccessToken, REQUEST))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: 'the grant is dead; connect again',
      reason: 'REAUTH_REQUIRED',
      metadata: { provider: 'pinterest' },
      help: [{ description: 'create a consent link', url: '' }],
    })
    expect(running.log.lines.map(({ level, fields }) => [level, fields.reason])).toEqual([
      ['debug', 'REAUTH_REQUIRED'],
    ])
  })

  it('says the message in characters that a header cannot hold', async () => {
    const client = await start({
      getAccessToken: () => Promise.reject(new BrokerError('CONSENT_REQUIRED', 'Zürich 日本\n100% \ud800')),
    })
    const { message } = await failureOf(call(client, client.getAccessToken, REQUEST))
    expect(message).toBe('Zürich 日本\n100% \ufffd')
  })
})

describe('a message that is no request', () => {
  it.each([
    ['a truncated field', Buffer.from([0x0a, 0x7f, 0x61])],
    ['a duration beyond all numbers', Buffer.from('0a0170' + '1a0a08ffffffffffffffff7f', 'hex')],
  ])('is refused as malformed: %s', async (_, bytes) => {
    const client = await start({})
    const outcome = new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        '/tokenbroker.v1.TokenBrokerService/GetAccessToken',
        (raw: Buffer) => raw,
        (raw: Buffer) => raw,
        bytes,
        bearer(OPERATOR_TOKEN),
        {},
        (error, answer) => (error === null ? resolve(answer) : reject(error)),
      )
    })
    expect(await failureOf(outcome)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: 'INVALID_REQUEST',
      message: expect.stringContaining('GetAccessTokenRequest'),
    })
  })
})

describe('the signal of a call', () => {
  it('aborts when the client cancels', async () => {
    const { broker, begun, aborted, finish } = createWaitingBroker()
    const client = await start(broker)
    const cancelled = Promise.withResolvers<unknown>()
    const sent = client.getAccessToken(REQUEST, bearer(OPERATOR_TOKEN), error =>
      cancelled.resolve(error?.code),
    )
    expect((await begun).signal?.aborted).toBe(false)
    sent.cancel()
    await aborted
    expect(await cancelled.promise).toBe(status.CANCELLED)
    finish.reject(new BrokerError('PROVIDER_UNAVAILABLE', 'nobody is waiting any more'))
  })

  it("aborts at the client's deadline", async () => {
    const { broker, aborted } = createWaitingBroker()
    const client = await start(broker)
    const outcome = call(client, client.getAccessToken, REQUEST, undefined, Date.now() + 100)
    expect((await failureOf(outcome)).code).toBe(status.DEADLINE_EXCEEDED)
    await aborted
    expect(running.clock.pending()).toEqual([])
  })

  it.each([
    ['without a deadline', undefined, CALL_MS_DEFAULT],
    ['with a deadline of days', 86_400_000, CALL_MS_MAX],
  ])("aborts at the server's deadline for a call %s", async (_, deadlineMs, limitMs) => {
    const { broker, begun, aborted } = createWaitingBroker()
    const client = await start(broker)
    const deadline = deadlineMs && Date.now() + deadlineMs
    const outcome = failureOf(call(client, client.getAccessToken, REQUEST, undefined, deadline))
    await begun
    expect(running.clock.pending()).toEqual([limitMs])
    running.clock.fire(limitMs)
    await aborted
    expect(await outcome).toMatchObject({ code: status.DEADLINE_EXCEEDED, reason: 'DEADLINE_EXCEEDED' })
  })

  it('does not abort after an answer, whose timer is gone too', async () => {
    const { broker, begun, finish } = createWaitingBroker()
    const client = await start(broker)
    const answered = call(client, client.getAccessToken, REQUEST)
    const { signal } = await begun
    finish.resolve(TOKEN)
    await answered
    // The stream has ended on both sides once another call on its connection has been answered.
    await call(client, client.getAccessToken, REQUEST)
    expect(signal?.aborted).toBe(false)
    expect(running.clock.pending()).toEqual([])
  })
})

describe('an answer', () => {
  it('that comes after the call ended is dropped, and the connection lives on', async () => {
    const { broker, begun, aborted, finish } = createWaitingBroker()
    const client = await start(broker)
    const sent = client.getAccessToken(REQUEST, bearer(OPERATOR_TOKEN), () => {})
    const ended = once(sent, 'status')
    await begun
    sent.cancel()
    await Promise.all([aborted, ended])
    finish.resolve(TOKEN)
    const status = await call(client, client.getStatus, {
      provider: 'pinterest',
      account: 'acme',
      verify: false,
    })
    expect(status.status?.account).toBe('acme')
  })
})
