/** What is sent at a time, and for how much it counts; nothing counts for 0, and is asked for again in a while. */
export interface Stroke {
  readonly bytes: Buffer
  readonly weight: number
}

/** Begins a connection; what it returns is asked for what to send next, again and again. */
export type Begin = (token: string) => () => Stroke

/** Frames that are the same each time go in hundreds. */
const TIMES = 100
/** What one connection opens before it waits for what becomes of them. */
const STREAMS_OPENED = 50_000
/** Bytes of one field: with the others, nearly the 64 KiB that Node takes. */
const LARGE = 60_000

/** Types, flags and an error code of frames (RFC 9113 sections 6 and 7). */
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const CONTINUATION = 9
const END_STREAM = 1
const END_HEADERS = 4
const CANCEL = Buffer.of(0, 0, 0, 8)
const FRAME_BYTES_MAX = 16_384
/** `:method: POST` and `:scheme: http`, which every table has (RFC 7541 appendix A). */
const POST_HTTP = Buffer.of(0x83, 0x86)

/** The beginning of a field `x` of 1,024 bytes that tables are to remember (RFC 7541 section 6.2.1). */
const LONGER_FIELD = Buffer.of(0x40, 0x01, 0x78, 0x7f, 0x81, 0x07)

/** An HTTP/2 frame (RFC 9113 section 4.1), as nobody's library would send it. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What a client says first. It never acknowledges the server's settings. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(SETTINGS, 0, 0, Buffer.alloc(0)),
])

/** A length (RFC 7541 section 5.1). */
function lengthOf(text: string): Buffer {
  if (text.length < 127) return Buffer.of(text.length)
  const bytes = [127]
  let rest = text.length - 127
  for (; rest > 127; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

/** A field that no table is to remember (RFC 7541 section 6.2.2). */
const field = (name: string, value: string) =>
  Buffer.concat([Buffer.of(0), lengthOf(name), Buffer.from(name), lengthOf(value), Buffer.from(value)])

/** The headers of a call that is allowed. */
const headersOf = (token: string, ...more: readonly Buffer[]) =>
  Buffer.concat([
    POST_HTTP,
    field(':path', '/tokenbroker.v1.TokenBrokerService/GetStatus'),
    field(':authority', 'broker'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
    field('authorization', `Bearer ${token}`),
    ...more,
  ])

/** The frames that carry a block of headers. */
function opening(stream: number, block: Buffer, flags: number): Buffer {
  const frames: Buffer[] = []
  for (let from = 0; from < block.length; from += FRAME_BYTES_MAX) {
    const isLast = from + FRAME_BYTES_MAX >= block.length
    const ended = isLast ? END_HEADERS : 0
    const piece = block.subarray(from, from + FRAME_BYTES_MAX)
    frames.push(frame(from === 0 ? HEADERS : CONTINUATION, (from === 0 ? flags : 0) | ended, stream, piece))
  }
  return Buffer.concat(frames)
}

function same(bytes: Buffer, first: Buffer = Buffer.alloc(0)): Begin {
  const many = Buffer.concat(Array.from({ length: TIMES }, () => bytes))
  return () => {
    let isFirst = true
    return () => {
      const sent = isFirst ? Buffer.concat([first, many]) : many
      isFirst = false
      return { bytes: sent, weight: TIMES }
    }
  }
}

/** Attacks with what an HTTP/2 library lets no client send, by their names. */
export const FLOODS: Readonly<Record<string, Begin>> = {
  'a flood of pings': same(frame(PING, 0, 0, Buffer.alloc(8))),
  'a flood of settings': same(frame(SETTINGS, 0, 0, Buffer.alloc(6))),
  // HEADERS without END_HEADERS, and CONTINUATION frames that never say it either, each with a quarter of a field.
  'a flood of continuations': same(
    frame(CONTINUATION, 0, 1, Buffer.concat([LONGER_FIELD, Buffer.alloc(256, 'x')])),
    frame(HEADERS, 0, 1, Buffer.concat([POST_HTTP, Buffer.of(0x84)])),
  ),
  'fifty thousand streams': token => {
    const block = headersOf(token)
    let opened = 0
    return () => {
      const count = Math.min(TIMES, STREAMS_OPENED - opened)
      const streams = Array.from({ length: count }, (_, nth) => opening((opened + nth) * 2 + 1, block, 0))
      opened += count
      return { bytes: Buffer.concat(streams), weight: count }
    }
  },
  'giant metadata, its limit not acknowledged': token => {
    const block = headersOf(token, field('x-large', 'x'.repeat(LARGE)))
    let stream = -1
    return () => {
      stream += 2
      const reset = frame(RST_STREAM, 0, stream, CANCEL)
      return { bytes: Buffer.concat([opening(stream, block, END_STREAM), reset]), weight: 1 }
    }
  },
}
