import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { createConnection } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { type Begin, FLOODS, PREFACE } from './hostile-floods.ts'

/**
 * A program that attacks a gRPC port until it is killed: `node hostile-client.ts ATTACK PORT TOKEN`. It is a process of
 * its own, so that what it costs itself is not taken for what it does to others. Prints how often it did it.
 */

/** Connections at a time, and streams at a time on each: what the server allows of the latter is 1,000. */
const SESSIONS = 2
const STREAMS = 25
/** A new attempt after the server has closed a connection. */
const RETURN_MS = 5
/** Between two strokes of one stream: 5,000 a second in all, as the attacker has the same processors as the attacked. */
const PACE_MS = 10

type Open = (headers?: Record<string, string>, path?: string) => ClientHttp2Stream

/** One stroke of an attack on an open connection. */
type Stroke = (open: Open) => Promise<void> | void

/** A gRPC frame: a flag, a length, and bytes that need not fit them. */
function frame(compressed: number, length: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, bytes])
}

const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
const gzip = { 'grpc-encoding': 'gzip' }
const GARBAGE = Buffer.alloc(64, 0xab)

/** Sends bytes on a stream of its own and waits for its end. */
const send = (open: Open, bytes: Uint8Array, headers?: Record<string, string>, path?: string) =>
  ended(open(headers, path), stream => stream.end(bytes))

function ended(stream: ClientHttp2Stream, begin: (stream: ClientHttp2Stream) => void): Promise<void> {
  return new Promise(resolve => {
    stream.on('error', () => {}).on('close', resolve)
    stream.resume()
    begin(stream)
  })
}

const STROKES: Readonly<Record<string, Stroke>> = {
  'a bad gzip flag': open => send(open, frame(1, GARBAGE.length, GARBAGE), gzip),
  'a length of 2 GB': open => send(open, frame(0, 2 ** 31, GARBAGE)),
  'a gzip bomb': open => send(open, frame(1, bomb.length, bomb), gzip),
  'an unknown method and a reset': open =>
    ended(open({}, '/tokenbroker.v1.Nothing/Nothing'), stream => {
      stream.write(frame(0, 2, GARBAGE.subarray(0, 1)))
      stream.close(constants.NGHTTP2_CANCEL)
    }),
  'streams that are opened and left': open =>
    ended(open(), stream => void pause(200).then(() => stream.close())),
  'a rapid reset': open => ended(open(), stream => stream.close(constants.NGHTTP2_CANCEL)),
  'a slow body': open =>
    ended(open(), stream => {
      const drip = setInterval(() => stream.write(Buffer.of(0)), 500)
      stream.on('close', () => clearInterval(drip))
    }),
  'giant metadata': open =>
    send(open, frame(0, 0, GARBAGE.subarray(0, 0)), { 'x-large': 'x'.repeat(60_000) }),
  'a stranger with large messages': open =>
    send(open, frame(0, 380 * 1024, Buffer.alloc(380 * 1024)), { authorization: 'Bearer unknown' }),
}

async function strike(stroke: Stroke, port: number, token: string): Promise<never> {
  for (;;) {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    const open: Open = (headers = {}, path = '/tokenbroker.v1.TokenBrokerService/GetStatus') =>
      session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${token}`,
        ...headers,
      })
    await Promise.all(Array.from({ length: STREAMS }, () => again(session, () => stroke(open))))
    session.destroy()
    await pause(RETURN_MS)
  }
}

async function again(session: ClientHttp2Session, stroke: () => Promise<void> | void): Promise<void> {
  while (!session.closed && !session.destroyed) {
    try {
      await stroke()
      count++
    } catch {
      return
    }
    await pause(PACE_MS)
  }
}

async function flood(begin: Begin, port: number, token: string): Promise<never> {
  for (;;) {
    const socket = createConnection(port, '127.0.0.1')
    let isOpen = true
    socket
      .on('error', () => {})
      .on('close', () => {
        isOpen = false
      })
    socket.resume()
    socket.write(PREFACE)
    const next = begin(token)
    while (isOpen) {
      const { bytes, weight } = next()
      count += weight
      const isDrained = socket.write(bytes)
      // A peer that reads no more is waited for, as an attacker would.
      await (isDrained && weight > 0 ? nextTurn() : pause(1))
    }
    await pause(RETURN_MS)
  }
}

let count = 0
const [attack = '', port = '0', token = ''] = process.argv.slice(2)
setInterval(() => process.stdout.write(`${count}\n`), 100)
const floodOf = FLOODS[attack]
const strokeOf = STROKES[attack]
for (let nth = 0; nth < SESSIONS; nth++) {
  if (floodOf !== undefined) void flood(floodOf, Number(port), token)
  else if (strokeOf !== undefined) void strike(strokeOf, Number(port), token)
  else throw new Error(`no attack is called ${attack}`)
}
