import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { createConnection } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Metadata, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CALL_MS_DEFAULT, METADATA_BYTES_MAX, RECEIVE_BYTES_MAX, STREAMS_MAX } from '../../src/api/limits.ts'
import { GetStatusRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { closed } from '../closed.ts'
import { bearer, call, OPERATOR_TOKEN, type RunningServer, startServer } from './running-server.ts'

const GET_STATUS = '/tokenbroker.v1.TokenBrokerService/GetStatus'
const REQUEST = GetStatusRequest.fromPartial({ provider: 'pinterest', account: 'acme' })

let running: RunningServer
let session: ClientHttp2Session
beforeAll(async () => {
  running = await startServer()
  session = connect(`http://127.0.0.1:${running.port}`)
})
afterAll(() => {
  session.destroy()
  running.stop()
})

/** A gRPC frame: a flag, a length, and bytes that need not fit them. */
function frame(compressed: number, length: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, bytes])
}

interface Opening {
  readonly path?: string
  readonly headers?: Record<string, string>
}

function open({ path = GET_STATUS, headers = {} }: Opening = {}) {
  return session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${OPERATOR_TOKEN}`,
    ...headers,
  })
}

/** Sends bytes as the body of one call and resolves with its gRPC status, or the HTTP status if it has none. */
async function send(body: Uint8Array, opening: Opening = {}): Promise<number> {
  const stream = open(opening)
  const ended = endOf(stream)
  stream.end(body)
  return ended
}

function endOf(stream: ReturnType<typeof open>): Promise<number> {
  return new Promise((resolve, reject) => {
    let code: unknown
    stream.on('response', headers => {
      code = headers['grpc-status'] ?? headers[':status']
    })
    stream.on('trailers', trailers => {
      code = trailers['grpc-status'] ?? code
    })
    stream.on('error', reject)
    stream.on('close', () => resolve(Number(code)))
    stream.resume()
  })
}

async function expectAlive() {
  const answer = await call(running.tokens, running.tokens.getStatus, REQUEST)
  expect(answer.status?.provider).toBe('pinterest')
}

/** What a caller sends, and one value of that many bytes. */
function withMetadata(bytes: number): Metadata {
  const metadata = bearer(OPERATOR_TOKEN)
  metadata.set('x-large', 'x'.repeat(bytes))
  return metadata
}

const good = GetStatusRequest.encode(REQUEST).finish()
const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024))

describe('the server survives', () => {
  it.each([
    [
      'a compressed flag on garbage',
      frame(1, 16, Buffer.alloc(16, 0xab)),
      { 'grpc-encoding': 'gzip' },
      status.INTERNAL,
    ],
    [
      'truncated gzip',
      frame(1, 12, gzipSync(good).subarray(0, 12)),
      { 'grpc-encoding': 'gzip' },
      status.INTERNAL,
    ],
    [
      'garbage called deflate',
      frame(1, 16, Buffer.alloc(16, 0xab)),
      { 'grpc-encoding': 'deflate' },
      status.INTERNAL,
    ],
    ['an unknown encoding', frame(1, 16, Buffer.alloc(16)), { 'grpc-encoding': 'br' }, status.UNIMPLEMENTED],
    ['a length of 2 GB', frame(0, 2 ** 31, good), {}, status.RESOURCE_EXHAUSTED],
    ['one byte too many', frame(0, RECEIVE_BYTES_MAX + 1, Buffer.alloc(9)), {}, status.RESOURCE_EXHAUSTED],
    ['a gzip bomb', frame(1, bomb.length, bomb), { 'grpc-encoding': 'gzip' }, status.RESOURCE_EXHAUSTED],
    ['no message', Buffer.alloc(0), {}, status.UNIMPLEMENTED],
    [
      'two messages',
      Buffer.concat([frame(0, good.length, good), frame(0, good.length, good)]),
      {},
      status.UNIMPLEMENTED,
    ],
    [
      'a message that is no protobuf',
      frame(0, 3, Buffer.from([0x0a, 0x7f, 0x61])),
      {},
      status.INVALID_ARGUMENT,
    ],
    ['a deadline that is none', frame(0, good.length, good), { 'grpc-timeout': 'soon' }, status.INTERNAL],
    ['another content type', frame(0, good.length, good), { 'content-type': 'text/plain' }, 415],
  ])('%s', async (_, body, headers, code) => {
    expect(await send(body, { headers })).toBe(code)
    await expectAlive()
  })

  it('an unknown method', async () => {
    expect(await send(frame(0, 0, Buffer.alloc(0)), { path: '/tokenbroker.v1.X/<script>' })).toBe(
      status.UNIMPLEMENTED,
    )
    await expectAlive()
  })

  it('a reset in the middle of a message', async () => {
    const stream = open()
    stream.on('error', () => {})
    stream.write(frame(0, good.length, good.subarray(0, 2)))
    await expect.poll(() => running.clock.pending()).toEqual([CALL_MS_DEFAULT])
    stream.close(constants.NGHTTP2_CANCEL)
    await expect.poll(() => running.clock.pending()).toEqual([])
    await expectAlive()
  })

  it.each([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['nothing that it knows', '\x16\x03\x01\x02\x00'.repeat(50)],
  ])('a client that speaks %s', async (_, bytes) => {
    const socket = createConnection(running.port, '127.0.0.1')
    socket.write(bytes)
    await closed(socket.resume())
    await expectAlive()
  })
})

describe('the server', () => {
  it('reads the largest request', async () => {
    const account = Buffer.alloc(RECEIVE_BYTES_MAX - 4, 'a').toString()
    const bytes = GetStatusRequest.encode({ ...REQUEST, provider: '', account }).finish()
    expect(bytes.length).toBe(RECEIVE_BYTES_MAX)
    expect(await send(frame(0, bytes.length, bytes))).toBe(status.INVALID_ARGUMENT)
  })

  it('does not read the message of who is unknown', async () => {
    const stream = open({ headers: { authorization: 'Bearer unknown' } })
    const ended = endOf(stream)
    // Neither sends a message nor ends.
    stream.write(frame(0, good.length, good.subarray(0, 2)))
    const [headers] = await once(stream, 'response')
    expect(headers['grpc-status']).toBe(String(status.UNAUTHENTICATED))
    stream.end()
    await ended
  })

  it('ends a call whose message never comes', async () => {
    const stream = open()
    const ended = endOf(stream)
    await expect.poll(() => running.clock.pending()).toEqual([CALL_MS_DEFAULT])
    running.clock.fire(CALL_MS_DEFAULT)
    const [headers] = await once(stream, 'response')
    expect(headers['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED))
    stream.end()
    await ended
  })

  it('refuses more metadata than the limit, and serves the other calls of the connection', async () => {
    const { tokens } = running
    await expectAlive()
    const others = Array.from({ length: 3 }, () => call(tokens, tokens.getStatus, REQUEST))
    await expect(
      call(tokens, tokens.getStatus, REQUEST, withMetadata(METADATA_BYTES_MAX)),
    ).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED })
    expect(await Promise.all(others)).toHaveLength(3)
    expect(
      await call(tokens, tokens.getStatus, REQUEST, withMetadata(METADATA_BYTES_MAX - 1_024)),
    ).toBeDefined()
  })

  it('announces how many streams it takes', async () => {
    await expect.poll(() => session.remoteSettings.maxConcurrentStreams).toBe(STREAMS_MAX)
  })
})
