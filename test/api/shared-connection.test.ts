import { once } from 'node:events'
import { join } from 'node:path'
import { type ChannelOptions, type ClientReadableStream, credentials, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { STREAMS_MAX, STREAMS_THAT_LAST_MAX, WATCHES_PER_CALLER_MAX } from '../../src/api/limits.ts'
import type { AllowRule, SocketListener } from '../../src/config/config.ts'
import { TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { tempFolder } from '../temp-folder.ts'
import { createHealthClient } from './health-client.ts'
import {
  bearer,
  call,
  callerNamed,
  decodeFailure,
  type RunningServer,
  startServer,
} from './running-server.ts'

const ACME = { provider: 'pinterest', account: 'acme' }
const NAME = { ...ACME, verify: false }
const ALL: AllowRule = { providers: ['*'], accounts: ['*'], methods: ['*'] }
/** Clients of one process share connections unless they are told not to. */
const OWN_CONNECTION: ChannelOptions = { 'grpc.use_local_subchannel_pool': 1 }

let running: RunningServer
const closers: (() => unknown)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
  running.stop()
})

async function start(listener: Partial<SocketListener> = {}) {
  running = await startServer({ callers: [callerNamed('one', ALL), callerNamed('two', ALL)], listener })
}

function connectTo(address: string): TokenBrokerServiceClient {
  const client = new TokenBrokerServiceClient(address, credentials.createInsecure(), OWN_CONNECTION)
  closers.push(() => client.close())
  return client
}

function watch(client: TokenBrokerServiceClient, caller: string) {
  const stream = client.watchAccessTokens({ connections: [ACME] }, bearer(caller))
  stream.on('error', () => {})
  return stream
}

/** Two callers behind one proxy. Resolves with the streams once each has told its first state, as those that may. */
async function fill(client: TokenBrokerServiceClient, count = STREAMS_THAT_LAST_MAX) {
  const streams = Array.from({ length: count }, (_, index) => watch(client, index % 2 === 0 ? 'one' : 'two'))
  await Promise.all(streams.map(stream => once(stream, 'data')))
  return streams
}

async function failureOf(stream: ClientReadableStream<unknown>) {
  stream.resume()
  const [error] = await once(stream, 'error')
  return decodeFailure(error)
}

const inTime = () => Date.now() + 5_000

describe('the streams of two callers on one connection', () => {
  it('leave it to the calls of both, and are told to take another one', async () => {
    await start()
    const address = `127.0.0.1:${running.port}`
    const client = connectTo(address)
    const streams = await fill(client)
    const failure = await failureOf(watch(client, 'two'))
    expect(failure).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: 'RATE_LIMITED',
      retryMs: 10_000,
      metadata: { limit: String(STREAMS_THAT_LAST_MAX) },
    })
    expect(failure.message).toContain('open another connection')
    expect(running.denials).toMatchObject([{ reason: 'RATE_LIMITED', caller: { name: 'two' } }])
    // What was refused does not count for its caller.
    const more = Array.from({ length: WATCHES_PER_CALLER_MAX / 2 }, () => failureOf(watch(client, 'two')))
    expect(new Set((await Promise.all(more)).map(({ reason }) => reason))).toEqual(new Set(['RATE_LIMITED']))

    const calls = Array.from({ length: STREAMS_MAX - STREAMS_THAT_LAST_MAX - 10 }, (_, index) =>
      call(client, client.getStatus, NAME, bearer(index % 2 === 0 ? 'one' : 'two'), inTime()),
    )
    await Promise.all(calls)
    await once(watch(connectTo(address), 'two'), 'data')

    streams[0]?.cancel()
    await expect
      .poll(async () => {
        const again = watch(client, 'two')
        const opened = once(again, 'data').then(() => true)
        return Promise.race([opened, once(again, 'status').then(() => false)])
      })
      .toBe(true)
  })

  it('are told so where the connection is a Unix socket, which has no endpoints', async () => {
    const socket = join(tempFolder('shared'), 'broker.sock')
    await start({ socket })
    const client = connectTo(`unix:${socket}`)
    await fill(client)
    expect((await failureOf(watch(client, 'one'))).reason).toBe('RATE_LIMITED')
    await once(watch(connectTo(`unix:${socket}`), 'one'), 'data')
    await call(client, client.getStatus, NAME, bearer('one'), inTime())
  })

  it('count together with those of health', async () => {
    await start()
    const client = connectTo(`127.0.0.1:${running.port}`)
    await fill(client, STREAMS_THAT_LAST_MAX - 1)
    const health = createHealthClient(running.port, { channelOverride: client.getChannel() })
    const probe = health.watch({ service: '' })
    probe.on('error', () => {})
    await once(probe, 'data')
    expect((await failureOf(health.watch({ service: '' }))).code).toBe(status.RESOURCE_EXHAUSTED)
    expect((await failureOf(watch(client, 'one'))).code).toBe(status.RESOURCE_EXHAUSTED)
  })

  it('are as many as one caller may have', () => {
    expect(WATCHES_PER_CALLER_MAX).toBeLessThanOrEqual(STREAMS_THAT_LAST_MAX)
    expect(STREAMS_THAT_LAST_MAX).toBeLessThan(STREAMS_MAX)
  })
})
