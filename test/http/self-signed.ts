import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../src/secret.ts'

/** On every machine that builds software; tests that need it say so where it is missing. */
const PROGRAM = 'openssl'

export interface Certificate {
  readonly cert: string
  readonly key: Secret
}

/** A certificate for a name that signs itself; undefined where there is no `openssl`. */
export function selfSigned(name = 'localhost'): Certificate | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-tls-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  try {
    const command = ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert]
    execFileSync(PROGRAM, command, { stdio: 'ignore' })
    return { cert: readFileSync(cert, 'utf8'), key: new Secret(readFileSync(key, 'utf8')) }
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}
