import { resolve } from 'node:path'
import { z } from 'zod'
import { isLoopback } from '../loopback.ts'
import { Secret } from '../secret.ts'
import { parseAddress } from './address.ts'
import { PEM_BYTES_MAX, readCertificate, requireKey } from './certificates.ts'
import type { Listener } from './config.ts'
import { type ReadFile, readText } from './files.ts'
import { attempt, Mistake } from './mistake.ts'
import { type ConfigPath, formatPath, type Report } from './problem.ts'
import { notYet, text, whenWellFormed } from './shape.ts'

/** Addresses of the gRPC server; a host has a few interfaces. */
const GRPC_LISTENERS_MAX = 16
/** The system chooses one. */
const FREE_PORT = 0

const tlsSchema = z.union([
  z.literal('proxy', { error: 'expected {cert: PATH, key: PATH}, or proxy' }),
  z.strictObject({ cert: text(pemPath), key: text(pemPath), client_ca: notYet }),
])

/** An unencrypted listener that others reach would carry tokens in clear. */
const GUARD = {
  ...whenWellFormed,
  path: ['address'],
  error:
    'only loopback is served without TLS; add tls: {cert: PATH, key: PATH}, or tls: proxy if a proxy in ' +
    'front ends TLS, or listen on 127.0.0.1',
}
const listenerSchema = z.strictObject({ address: text(parseAddress), tls: tlsSchema.optional() })

/** `listen`, with the addresses that need no configuration. */
export const listenSchema = z.strictObject({
  grpc: z
    .array(listenerSchema.extend({ socket: notYet }).refine(isGuarded, GUARD))
    .min(1)
    .max(GRPC_LISTENERS_MAX)
    .prefault([{ address: '127.0.0.1:50051' }]),
  http: listenerSchema.refine(isGuarded, GUARD).prefault({ address: '127.0.0.1:8085' }),
  admin: listenerSchema.refine(isGuarded, GUARD).prefault({ address: '127.0.0.1:8086' }),
})

type WrittenListener = z.output<typeof listenerSchema>

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
): Promise<{ grpc: Listener[]; http: Listener; admin: Listener }> {
  checkAddresses(written, parts.report)
  const [http, admin, ...grpc] = await Promise.all([
    readListener(written.http, ['listen', 'http'], parts),
    readListener(written.admin, ['listen', 'admin'], parts),
    ...written.grpc.map((listener, index) => readListener(listener, ['listen', 'grpc', index], parts)),
  ])
  return { grpc, http, admin }
}

function checkAddresses({ grpc, http, admin }: z.output<typeof listenSchema>, report: Report): void {
  const places: (readonly [ConfigPath, WrittenListener])[] = [
    ...grpc.map((listener, index) => [['listen', 'grpc', index], listener] as const),
    [['listen', 'http'], http],
    [['listen', 'admin'], admin],
  ]
  const taken = new Map<string, ConfigPath>()
  for (const [path, { address }] of places.filter(([, { address }]) => address.port !== FREE_PORT)) {
    const key = `${address.host} ${address.port}`
    const earlier = taken.get(key)
    if (earlier) report([...path, 'address'], `is the address of ${formatPath(earlier)} too; change one`)
    taken.set(key, path)
  }
}

async function readListener(
  { address, tls }: WrittenListener,
  path: PropertyKey[],
  { readFile, folder, report }: ListenParts,
): Promise<Listener> {
  if (tls === undefined || tls === 'proxy') return { ...address, tls }
  const load = (file: string) => readText(readFile, resolve(folder, file), PEM_BYTES_MAX)
  const cert = await attempt(report, [...path, 'tls', 'cert'], async () => {
    const pem = await load(tls.cert)
    return { pem, first: readCertificate(pem) }
  })
  const key = await attempt(report, [...path, 'tls', 'key'], async () => {
    const pem = await load(tls.key)
    requireKey(pem, cert?.first)
    return new Secret(pem)
  })
  return cert && key ? { ...address, tls: { cert: cert.pem, key } } : { ...address }
}
