import { resolve } from 'node:path'
import { z } from 'zod'
import { isLoopback } from '../loopback.ts'
import { type Address, parseAddress } from './address.ts'
import type { GrpcListener, Listener, TlsFiles } from './config.ts'
import type { ReadFile } from './files.ts'
import { Mistake } from './mistake.ts'
import { type ConfigPath, formatPath, type Report } from './problem.ts'
import { text, whenWellFormed } from './shape.ts'
import { readTls } from './tls-files.ts'

/** Addresses of the gRPC server; a host has a few interfaces. */
const GRPC_LISTENERS_MAX = 16
/** `sun_path` has 104 bytes on macOS and BSDs, 108 on Linux, of which one ends it. */
const SOCKET_PATH_BYTES_MAX = 103
/** The system chooses one. */
const FREE_PORT = 0

const PROXY = z.literal('proxy', { error: 'expected {cert: PATH, key: PATH}, or proxy' })
const filesSchema = z.strictObject({ cert: text(pemPath), key: text(pemPath) })
const ONLY_GRPC = z
  .never({ error: 'is only for listen.grpc; browsers and probes have no certificates' })
  .optional()
const tlsSchema = z.union([PROXY, filesSchema.extend({ client_ca: ONLY_GRPC })])
const grpcTlsSchema = z.union([PROXY, filesSchema.extend({ client_ca: text(pemPath).optional() })])

/** An unencrypted listener that others reach would carry tokens in clear. */
const GUARD = {
  ...whenWellFormed,
  path: ['address'],
  error:
    'only loopback is served without TLS; add tls: {cert: PATH, key: PATH}, or tls: proxy if a proxy in ' +
    'front ends TLS, or listen on 127.0.0.1',
}
const listenerSchema = z.strictObject({ address: text(parseAddress), tls: tlsSchema.optional() })

/** An address, or the path of a Unix socket, which the system guards itself. */
const grpcListenerSchema = z
  .strictObject({
    address: text(parseAddress).optional(),
    socket: z.string().min(1).optional(),
    tls: grpcTlsSchema.optional(),
  })
  .refine(({ address, socket }) => (address === undefined) !== (socket === undefined), {
    error: 'expected exactly one of address and socket',
    ...whenWellFormed,
  })
  .refine(({ socket, tls }) => socket === undefined || tls === undefined, {
    error: 'a socket has no TLS: only processes of this user on this machine reach it',
    path: ['tls'],
    ...whenWellFormed,
  })
  .refine(({ address, tls }) => address === undefined || isGuarded({ address, tls }), GUARD)

/** `listen`, with the addresses that need no configuration. */
export const listenSchema = z.strictObject({
  grpc: z
    .array(grpcListenerSchema)
    .min(1)
    .max(GRPC_LISTENERS_MAX)
    .prefault([{ address: '127.0.0.1:50051' }]),
  http: listenerSchema.refine(isGuarded, GUARD).prefault({ address: '127.0.0.1:8085' }),
  admin: listenerSchema.refine(isGuarded, GUARD).prefault({ address: '127.0.0.1:8086' }),
})

type WrittenTls = z.output<typeof grpcTlsSchema>
type WrittenGrpcListener = z.output<typeof grpcListenerSchema>
interface WrittenListener {
  readonly address: Address
  readonly tls?: WrittenTls
}

function isGuarded({ address, tls }: WrittenListener): boolean {
  return tls !== undefined || isLoopback(address.host)
}

function pemPath(written: string): string {
  if (written.includes('-----BEGIN')) throw new Mistake('expected the path of a PEM file, not its content')
  if (written === '') throw new Mistake('is empty')
  return written
}

/** What listeners are read with. */
export interface ListenParts {
  readonly readFile: ReadFile
  /** Relative paths start here. */
  readonly folder: string
  readonly report: Report
}

/** Loads the certificates of all listeners and checks that no two want the same address. */
export async function readListen(
  written: z.output<typeof listenSchema>,
  parts: ListenParts,
): Promise<{ grpc: GrpcListener[]; http: Listener; admin: Listener }> {
  checkAddresses(written, parts)
  const [http, admin, ...grpc] = await Promise.all([
    readListener(written.http, ['listen', 'http'], parts),
    readListener(written.admin, ['listen', 'admin'], parts),
    ...written.grpc.map((listener, index) => readGrpcListener(listener, ['listen', 'grpc', index], parts)),
  ])
  return { grpc, http, admin }
}

function checkAddresses({ grpc, http, admin }: z.output<typeof listenSchema>, parts: ListenParts): void {
  const places: (readonly [ConfigPath, WrittenGrpcListener])[] = [
    ...grpc.map((listener, index) => [['listen', 'grpc', index], listener] as const),
    [['listen', 'http'], http],
    [['listen', 'admin'], admin],
  ]
  const taken = new Map<string, ConfigPath>()
  for (const [path, { address, socket }] of places) {
    if (address?.port === FREE_PORT) continue
    const key =
      address === undefined ? resolve(parts.folder, socket ?? '') : `${address.host} ${address.port}`
    const earlier = taken.get(key)
    const what = address === undefined ? 'socket' : 'address'
    if (earlier) parts.report([...path, what], `is the ${what} of ${formatPath(earlier)} too; change one`)
    taken.set(key, path)
  }
}

async function readGrpcListener(
  { address, socket = '', tls }: WrittenGrpcListener,
  path: PropertyKey[],
  parts: ListenParts,
): Promise<GrpcListener> {
  if (address !== undefined) return readListener({ address, tls }, path, parts)
  const absolute = resolve(parts.folder, socket)
  if (Buffer.byteLength(absolute) > SOCKET_PATH_BYTES_MAX) {
    const message = `is ${absolute}, longer than the ${SOCKET_PATH_BYTES_MAX} bytes that systems allow for a socket; take a shorter path`
    parts.report([...path, 'socket'], message)
  }
  return { socket: absolute }
}

async function readListener(
  { address, tls }: WrittenListener,
  path: PropertyKey[],
  { readFile, folder, report }: ListenParts,
): Promise<Listener> {
  if (tls === undefined || tls === 'proxy') return { ...address, tls }
  const files: TlsFiles = {
    cert: resolve(folder, tls.cert),
    key: resolve(folder, tls.key),
    ...(tls.client_ca === undefined ? {} : { clientCa: resolve(folder, tls.client_ca) }),
  }
  const material = await readTls(files, readFile, (key, message) => report([...path, 'tls', key], message))
  return material ? { ...address, tls: material } : { ...address }
}
