import * as api from '../api/limits.ts'
import type { Config } from '../config/config.ts'
import { CONNECT_TIMEOUT_MS, HARD_TIMEOUT_MS, RESPONSE_BYTES_MAX } from '../egress/http.ts'
import { HTTP_LIMITS } from '../http/limits.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { processLimit } from './process-limits.ts'

const { ok, warning } = findingsIn('limits')

/** One limit of the broker. */
export interface Limit {
  readonly on: 'gRPC' | 'HTTP' | 'providers'
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'bytes' | 'MB' | ''
}

/** What the broker bounds, and by how much. */
export const LIMITS: readonly Limit[] = [
  ...limitsOn('gRPC', [
    ['open connections per listener', api.CONNECTIONS_MAX, ''],
    ['calls at a time per connection', api.STREAMS_MAX, ''],
    ['TLS handshake', api.TLS_HANDSHAKE_MS_MAX, 'ms'],
    ['metadata of a call', api.METADATA_BYTES_MAX, 'bytes'],
    ['request', api.RECEIVE_BYTES_MAX, 'bytes'],
    ['answer', api.SEND_BYTES_MAX, 'bytes'],
    ['memory per connection', api.SESSION_MEGABYTES_MAX, 'MB'],
    ['call without deadline', api.CALL_MS_DEFAULT, 'ms'],
    ['call with any deadline', api.CALL_MS_MAX, 'ms'],
    ['stop, for calls in flight', api.DRAIN_MS_MAX, 'ms'],
    ['age of a connection', api.CONNECTION_AGE_MS_MAX, 'ms'],
    ['idle connection', api.CONNECTION_IDLE_MS_MAX, 'ms'],
    ['ping', api.KEEPALIVE_MS, 'ms'],
    ['answer to a ping', api.KEEPALIVE_TIMEOUT_MS, 'ms'],
    ['streams that last, per connection', api.STREAMS_THAT_LAST_MAX, ''],
    ['watches per caller', api.WATCHES_PER_CALLER_MAX, ''],
    ['connections per watch', api.WATCHED_PER_STREAM_MAX, ''],
    ['watched connections per caller', api.WATCHED_PER_CALLER_MAX, ''],
  ]),
  ...limitsOn('HTTP', [
    ['open connections per listener', HTTP_LIMITS.connectionsMax, ''],
    ['headers', HTTP_LIMITS.headersTimeoutMs, 'ms'],
    ['whole request', HTTP_LIMITS.requestTimeoutMs, 'ms'],
    ['idle connection', HTTP_LIMITS.keepAliveTimeoutMs, 'ms'],
    ['head of a request', HTTP_LIMITS.headBytesMax, 'bytes'],
    ['URL', HTTP_LIMITS.urlBytesMax, 'bytes'],
    ['body', HTTP_LIMITS.bodyBytesMax, 'bytes'],
    ['requests per minute and address', HTTP_LIMITS.requestsPerMinuteMax, ''],
  ]),
  ...limitsOn('providers', [
    ['connecting, TLS included', CONNECT_TIMEOUT_MS, 'ms'],
    ['request', HARD_TIMEOUT_MS, 'ms'],
    ['answer', RESPONSE_BYTES_MAX, 'bytes'],
    ['redirects followed', 0, ''],
  ]),
]

type LimitRow = readonly [name: string, value: number, unit: Limit['unit']]

function limitsOn(on: Limit['on'], rows: readonly LimitRow[]): Limit[] {
  return rows.map(([name, value, unit]) => ({ on, name, value, unit }))
}

/** The largest unit in which a limit is a whole number; the last one divides everything. */
const UNITS = {
  ms: [
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
    [1, 'ms'],
  ],
  bytes: [
    [1_024 * 1_024, 'MiB'],
    [1_024, 'KiB'],
    [1, 'bytes'],
  ],
} as const

/** The value of a limit for people: `30 min`, `4 MiB`. */
export function limitText({ value, unit }: Limit): string {
  if (unit === '') return String(value)
  if (unit === 'MB') return `${value} MB`
  const [size, name] = UNITS[unit].find(([size]) => value % size === 0) ?? [1, unit]
  return `${value / size} ${name}`
}

/** Files that the program, the store and its libraries hold open beside sockets. */
const FILES_OF_ITS_OWN = 100

/** Whether the system lets the broker have as many sockets as its own limits do. */
export function examineLimits(
  { listen, providers }: Pick<Config, 'listen' | 'providers'>,
  filesMax = processLimit('Max open files'),
): Finding[] {
  const outgoing = [...providers.values()].reduce((sum, { limits }) => sum + limits.concurrency, 0)
  const incoming = listen.grpc.length * api.CONNECTIONS_MAX + 2 * HTTP_LIMITS.connectionsMax
  const needed = incoming + outgoing + FILES_OF_ITS_OWN
  if (filesMax === undefined) return [ok(`the broker opens at most ${needed} files and sockets`)]
  const what = `${filesMax} files and sockets may be open, the broker's limits add up to ${needed}`
  if (filesMax >= needed) return [ok(what)]
  return [warning(what, `Raise it: ulimit -n ${needed} (systemd: LimitNOFILE=${needed}).`)]
}
