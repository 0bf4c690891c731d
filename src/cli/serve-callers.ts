import { randomBytes } from 'node:crypto'
import { type Callers, createCallers } from '../api/callers.ts'
import { createJwtVerifier } from '../api/jwt-verifier.ts'
import type { Clock, Log } from '../broker/ports.ts'
import { hashCallerToken } from '../config/caller-token.ts'
import type { Config, JwksSource } from '../config/config.ts'
import { expiriesOf, haveAllExpired } from '../config/expiries.ts'
import { type ReadFile, readText } from '../config/files.ts'
import { readOrCreateOperatorToken } from '../config/operator-token.ts'
import { readListenAgain } from '../config/tls-files.ts'
import type { Http, Reach } from '../egress/http.ts'
import { isLoopback } from '../loopback.ts'
import { Secret } from '../secret.ts'
import { watchExpiries } from './serve-expiries.ts'

/** Bytes of a key set in a file; the same that egress reads of an answer. */
const KEYS_BYTES_MAX = 64 * 1024
/** Tokens of workloads are below 4 KiB. */
const TOKEN_BYTES_MAX = 16 * 1024

/** What {@link createServedCallers} needs. */
interface ServedCallersPorts {
  readonly http: Http
  readonly readFile: ReadFile
  readonly clock: Clock
  readonly log: Log
}

/** {@link Callers} of a running broker. */
export interface ServedCallers extends Callers {
  /** Stops looking after what expires. */
  close(): void
}

/**
 * Creates the directory of those who may call, with the operator's token unless it is switched off. The log
 * says early what is about to expire.
 *
 * @throws ConfigError if the operator's token cannot be read or made
 */
export async function createServedCallers(
  config: Pick<Config, 'dataDir' | 'callers' | 'operatorToken' | 'listen'>,
  { http, readFile, clock, log }: ServedCallersPorts,
): Promise<ServedCallers> {
  const { dataDir, operatorToken, listen } = config
  const token = operatorToken === 'on' ? await readOrCreateOperatorToken(dataDir, randomBytes) : undefined
  let configured = config.callers
  const callers = createCallers({
    operatorTokenHash: token && hashCallerToken(token.expose()),
    callers: configured,
    jwts: createJwtVerifier({ readKeys: source => readKeys(source, http, readFile), clock, log }),
    clock,
  })
  const sayIfNobodyCanCall = () => {
    if (!haveAllExpired(configured, clock.now())) return
    log.error('No caller of the configuration can call: all their tokens have expired', {
      advice: 'make another with "token-broker callers create" and list its hash under token_sha256',
    })
  }
  sayIfNobodyCanCall()
  const current = async () =>
    expiriesOf({ callers: configured, listen: await readListenAgain(listen, readFile) })
  return {
    ...callers,
    replace(next) {
      callers.replace(next)
      configured = next
      sayIfNobodyCanCall()
    },
    close: watchExpiries(current, log, clock),
  }
}

/** @throws Error whose message quotes nothing of an answer */
async function readKeys(source: JwksSource, http: Http, readFile: ReadFile): Promise<string> {
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
