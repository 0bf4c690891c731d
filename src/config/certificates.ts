import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { Mistake } from './mistake.ts'

/** Bytes of a PEM file; a bundle of all public authorities is below 300 KiB. */
export const PEM_BYTES_MAX = 1024 * 1024

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Reads the first certificate of a PEM text, the server's own. @throws Mistake */
export function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new Mistake('expected a PEM file that starts with a certificate, the chain below it')
  }
}

/** Checks that a PEM text is a private key, and that of a certificate if there is one. @throws Mistake */
export function requireKey(pem: string, certificate: X509Certificate | undefined): void {
  const key = readKey(pem)
  if (certificate !== undefined && !certificate.checkPrivateKey(key)) {
    throw new Mistake('is not the key of the certificate in cert')
  }
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new Mistake('expected a PEM file with a private key that is not encrypted')
  }
}

/** Checks that a PEM text holds certificates and every one of them can be read. @throws Mistake */
export function requireAuthorities(pem: string): void {
  const certificates = splitCertificates(pem)
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw new Mistake('expected certificates as PEM, or the path of a file of them')
  }
}

/** The certificates of a PEM text, each as a text of its own. */
export function splitCertificates(pem: string): string[] {
  return pem.match(CERTIFICATE) ?? []
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}
