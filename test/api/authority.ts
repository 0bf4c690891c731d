import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../../src/secret.ts'

/** On every machine that builds software; tests that need it say so where it is missing. */
const PROGRAM = 'openssl'

/** What a certificate is to say. */
export interface Wish {
  /** `URI:spiffe://…`, `DNS:…`; empty = no alternative names. */
  readonly names?: readonly string[]
  readonly commonName?: string
  /** As OpenSSL has it: `clientAuth` unless something else is wished for. */
  readonly usage?: string
  readonly isAuthority?: boolean
  /** Days from now. */
  readonly from?: number
  /** Days from now. */
  readonly to?: number
}

export interface Pair {
  readonly cert: string
  readonly key: Secret
}

/** A certificate authority in a folder. */
export interface Authority {
  /** PEM of its own certificate. */
  readonly cert: string
  issue(wish: Wish): Pair
}

/** Makes an authority; undefined where there is no `openssl`. */
export function createAuthority(folder: string, name: string): Authority | undefined {
  const at = (file: string) => join(folder, `${name}-${file}`)
  const openssl = (...command: string[]) => execFileSync(PROGRAM, command, { stdio: 'ignore', cwd: folder })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  try {
    const files = ['-keyout', at('ca.key'), '-out', at('ca.pem')]
    openssl('req', '-x509', ...curve, '-days', '2', '-subj', `/CN=${name}`, ...files)
  } catch {
    return undefined
  }
  writeFileSync(at('index'), '')
  writeFileSync(at('conf'), configuration(name, folder))
  let issued = 0

  return {
    cert: readFileSync(at('ca.pem'), 'utf8'),
    issue(wish) {
      const [key, request, cert] = ['key', 'csr', 'pem'].map(kind => at(`${issued}.${kind}`)) as [
        string,
        string,
        string,
      ]
      const extensions = at(`${issued++}.ext`)
      writeFileSync(extensions, extensionsOf(wish))
      openssl(
        'req',
        '-new',
        ...curve,
        '-subj',
        `/CN=${wish.commonName ?? 'nobody'}`,
        '-keyout',
        key,
        '-out',
        request,
      )
      const dates = ['-startdate', date(wish.from ?? -1), '-enddate', date(wish.to ?? 1)]
      const files = ['-config', at('conf'), '-extfile', extensions, '-in', request, '-out', cert]
      openssl('ca', '-batch', '-notext', ...dates, ...files)
      return { cert: readFileSync(cert, 'utf8'), key: new Secret(readFileSync(key, 'utf8')) }
    },
  }
}

function configuration(name: string, folder: string): string {
  return `[ca]
default_ca = this
[this]
new_certs_dir = ${folder}
database = ${join(folder, `${name}-index`)}
certificate = ${join(folder, `${name}-ca.pem`)}
private_key = ${join(folder, `${name}-ca.key`)}
default_md = sha256
unique_subject = no
rand_serial = yes
policy = any
[any]
commonName = supplied
`
}

function extensionsOf({ names = [], usage = 'clientAuth', isAuthority = false }: Wish): string {
  const alternative = names.map((name, index) => name.replace(/^(\w+):/, `$1.${index + 1} = `)).join('\n')
  return `basicConstraints = critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}
extendedKeyUsage = ${usage}
${names.length === 0 ? '' : `subjectAltName = @names\n[names]\n${alternative}\n`}`
}

/** As `openssl ca` wants it: 20261121003512Z. */
function date(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '')}`
}
