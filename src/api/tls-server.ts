import { constants, X509Certificate } from 'node:crypto'
import type { Server, Socket } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Log } from '../broker/ports.ts'
import { splitCertificates } from '../config/certificates.ts'
import type { TlsMaterial } from '../config/config.ts'
import { TLS_HANDSHAKE_MS_MAX } from './limits.ts'
import { endpointsOf } from './newest-connections.ts'
import { rememberPeer } from './peer-identity.ts'

/** A server whose certificates can be exchanged while it serves. */
export interface TlsServer {
  readonly server: Server
  /**
   * New handshakes use this. If an authority is not believed any more, connections with client certificates
   * and those within their handshake are cut, so that they have to prove themselves anew.
   *
   * @throws Error if it is refused; then nothing has changed
   */
  replace(material: TlsMaterial): void
}

/** Milliseconds between two lines of the log about certificates that are not trusted: anybody can send them. */
const DISTRUST_INTERVAL_MS = 60_000

/**
 * Creates a server that hands over connections after their handshake, client certificates read.
 *
 * A client may present a certificate or none: whoever has none, or one that is not trusted, needs a token.
 *
 * @throws Error if certificate and key are refused
 */
export function createTlsServer(
  material: TlsMaterial,
  accept: (socket: Socket) => void,
  log: Log,
): TlsServer {
  let authorities = fingerprintsOf(material)
  let saidAt = Number.NEGATIVE_INFINITY
  const known = new Set<TLSSocket>()
  /** Connections within their handshake, which goes by the authorities that were believed when it began. */
  const shaking = new Map<string, Socket>()
  const server = createServer(
    {
      ...contextOptions(material),
      requestCert: material.clientCa !== undefined,
      // Who it is is decided for each call.
      rejectUnauthorized: false,
      // RFC 9113 section 3.3. Node's HTTP/2 sends those away who negotiate nothing.
      ALPNProtocols: ['h2'],
      handshakeTimeout: TLS_HANDSHAKE_MS_MAX,
      noDelay: true,
    },
    socket => {
      if (material.clientCa !== undefined) meet(socket)
      accept(socket)
    },
  )

  server.on('connection', (socket: Socket) => {
    const key = endpointsOf(socket)
    shaking.set(key, socket)
    socket.once('close', () => {
      if (shaking.get(key) === socket) shaking.delete(key)
    })
  })

  function meet(socket: TLSSocket): void {
    shaking.delete(endpointsOf(socket))
    rememberPeer(socket)
    if (socket.authorized) {
      known.add(socket)
      socket.once('close', () => known.delete(socket))
    } else if (socket.getPeerX509Certificate() !== undefined) {
      distrust(socket)
    }
  }

  function distrust({ authorizationError, remoteAddress }: TLSSocket): void {
    if (performance.now() - saidAt < DISTRUST_INTERVAL_MS) return
    saidAt = performance.now()
    log.warn('A client certificate is not trusted', { peer: remoteAddress, why: String(authorizationError) })
  }

  return {
    server,
    replace(next) {
      const believed = fingerprintsOf(next)
      server.setSecureContext(contextOptions(next))
      const isNarrower = [...authorities].some(fingerprint => !believed.has(fingerprint))
      authorities = believed
      if (isNarrower) for (const socket of [...known, ...shaking.values()]) socket.destroy()
    },
  }
}

function contextOptions({ cert, key, clientCa }: TlsMaterial): TlsOptions {
  const pair = { cert, key: key.expose() }
  if (clientCa === undefined) return { ...pair, minVersion: 'TLSv1.2' }
  // Without session tickets every connection presents its certificate, and every certificate is verified.
  return { ...pair, ca: clientCa, minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET }
}

function fingerprintsOf({ clientCa = '' }: TlsMaterial): ReadonlySet<string> {
  return new Set(splitCertificates(clientCa).map(pem => new X509Certificate(pem).fingerprint256))
}
