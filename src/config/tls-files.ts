import { Secret } from '../secret.ts'
import { PEM_BYTES_MAX, readCertificate, requireAuthorities, requireKey } from './certificates.ts'
import type { Config, GrpcListener, Listener, TlsFiles, TlsMaterial } from './config.ts'
import { type ReadFile, readText } from './files.ts'
import { attempt } from './mistake.ts'

/** What is wrong with the file that a key of `tls` names. */
type ReportFile = (key: 'cert' | 'key' | 'client_ca', message: string) => void

/**
 * Reads what a listener proves itself with, and checks that it fits together.
 *
 * @returns undefined after a report
 */
export async function readTls(
  files: TlsFiles,
  readFile: ReadFile,
  report: ReportFile,
): Promise<TlsMaterial | undefined> {
  const load = (path: string) => readText(readFile, path, PEM_BYTES_MAX)
  const at = (key: Parameters<ReportFile>[0]) => (_: unknown, message: string) => report(key, message)
  const cert = await attempt(at('cert'), [], async () => {
    const pem = await load(files.cert)
    return { pem, first: readCertificate(pem) }
  })
  const key = await attempt(at('key'), [], async () => {
    const pem = await load(files.key)
    requireKey(pem, cert?.first)
    return new Secret(pem)
  })
  const { clientCa: path } = files
  const authorities = await attempt(at('client_ca'), [], async () => {
    if (path === undefined) return {}
    const clientCa = await load(path)
    requireAuthorities(clientCa)
    return { clientCa }
  })
  return cert && key && authorities && { cert: cert.pem, key, ...authorities, files }
}

/** The same listeners with what their files hold now; what cannot be used stays as it was. */
export async function readListenAgain(
  listen: Config['listen'],
  readFile: ReadFile,
): Promise<Config['listen']> {
  const again = async <L extends GrpcListener>(listener: L): Promise<L> => {
    if ('socket' in listener || typeof listener.tls !== 'object' || listener.tls.files === undefined)
      return listener
    const tls = await readTls(listener.tls.files, readFile, () => {})
    return tls === undefined ? listener : { ...listener, tls }
  }
  const [grpc, http, admin] = await Promise.all([
    Promise.all(listen.grpc.map(listener => again(listener))),
    again<Listener>(listen.http),
    again<Listener>(listen.admin),
  ])
  return { grpc, http, admin }
}
