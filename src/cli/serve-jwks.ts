import type { JwksSource } from '../config/config.ts'
import { type ReadFile, readText } from '../config/files.ts'
import type { Http, Reach } from '../egress/http.ts'
import { isLoopback } from '../loopback.ts'
import { Secret } from '../secret.ts'

/** Bytes of a key set in a file; the same that egress reads of an answer. */
const KEYS_BYTES_MAX = 64 * 1024
/** Tokens of workloads are below 4 KiB. */
const TOKEN_BYTES_MAX = 16 * 1024

/**
 * Reads the key set of an issuer as its caller's configuration says: the file, or the URL with its token, its
 * authorities and the networks that it may be in.
 *
 * @returns what is there, as text that nobody has looked at yet
 * @throws Error whose message quotes nothing of an answer
 */
export async function readJwks(source: JwksSource, http: Http, readFile: ReadFile): Promise<string> {
  if (source.kind === 'file') return readText(readFile, source.path, KEYS_BYTES_MAX)
  const { url, ca, tokenFile } = source
  const token = tokenFile === undefined ? undefined : await readText(readFile, tokenFile, TOKEN_BYTES_MAX)
  const { status, body } = await http.send(
    {
      method: 'GET',
      url: new Secret(url),
      headers: {
        accept: 'application/json, application/jwk-set+json',
        ...(token === undefined ? {} : { authorization: new Secret(`Bearer ${token.trim()}`) }),
      },
    },
    { ca, reach: reachOf(source) },
  )
  if (status !== 200) throw new Error(`the issuer answered with status ${status}`)
  return body.expose()
}

function reachOf({ url, allowNetworks }: Extract<JwksSource, { kind: 'url' }>): Reach {
  const { origin, hostname } = new URL(url)
  return { networks: allowNetworks, loopbackOrigins: isLoopback(hostname) ? [origin] : [] }
}
