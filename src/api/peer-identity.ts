import type { X509Certificate } from 'node:crypto'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { isWorkload } from '../config/spiffe-id.ts'

/** Whom a trusted client certificate names. */
export type PeerIdentity =
  | {
      readonly ok: true
      /** A SPIFFE ID, or `dns:` and a name in lower case. */
      readonly identity: string
      /** Milliseconds since the epoch. */
      readonly expiresAtMs: number
    }
  | { readonly ok: false; readonly why: string }

/** One entry of a certificate's subject alternative names. */
interface AlternativeName {
  readonly kind: string
  readonly value: string
}

/** As Node prints one: JSON text if it holds what could be taken for the beginning of another. */
const ALTERNATIVE_NAME = /(?<kind>[A-Za-z][A-Za-z 0-9]*):(?<value>"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y

const identities = new WeakMap<PeerCertificate, PeerIdentity>()

/**
 * Reads whom the client certificate of a connection names, once: grpc-js would parse the certificate for every
 * call. From here on the socket answers the very same object, by which {@link peerIdentity} finds the identity.
 *
 * A certificate that is absent or not trusted leaves no identity.
 *
 * @param socket after its handshake
 */
export function rememberPeer(socket: TLSSocket): void {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return
  const peer = socket.getPeerCertificate()
  identities.set(peer, identityOf(certificate))
  socket.getPeerCertificate = (() => peer) as TLSSocket['getPeerCertificate']
}

/** What {@link rememberPeer} has found out. */
export function peerIdentity(certificate: PeerCertificate | undefined): PeerIdentity | undefined {
  return certificate && identities.get(certificate)
}

/**
 * Whom a certificate names: its one URI, which has to be a SPIFFE ID, or where it has no URI its one DNS name.
 * The common name counts for nothing.
 *
 * @see https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
 */
export function identityOf(certificate: X509Certificate): PeerIdentity {
  if (certificate.ca) return nobody('it is that of a certificate authority')
  const names = parseNames(certificate.subjectAltName ?? '')
  if (names === undefined) return nobody('its subject alternative names cannot be read')
  const of = (kind: string) => names.filter(name => name.kind === kind).map(({ value }) => value)
  const [uris, hosts] = [of('URI'), of('DNS')]
  const expiresAtMs = certificate.validToDate.getTime()
  if (uris.length > 1) return nobody('it has several URIs')
  const [uri] = uris
  if (uri !== undefined) {
    return isWorkload(uri)
      ? { ok: true, identity: uri, expiresAtMs }
      : nobody('its URI is no SPIFFE ID of a workload')
  }
  const [host] = hosts
  if (host === undefined) return nobody('it has neither a URI nor a DNS name')
  if (hosts.length > 1) return nobody('it has several DNS names and no URI')
  return { ok: true, identity: `dns:${host.toLowerCase()}`, expiresAtMs }
}

function nobody(why: string): PeerIdentity {
  return { ok: false, why }
}

/** @returns undefined if any part of the text is not understood: what is not read could be a second name */
function parseNames(text: string): AlternativeName[] | undefined {
  const names: AlternativeName[] = []
  const pattern = new RegExp(ALTERNATIVE_NAME)
  while (pattern.lastIndex < text.length) {
    const { kind, value } = pattern.exec(text)?.groups ?? {}
    if (kind === undefined || value === undefined) return undefined
    names.push({ kind, value: value.startsWith('"') ? String(JSON.parse(value)) : value })
  }
  return names
}
