import { randomBytes } from 'node:crypto'
import { type Callers, createCallers } from '../api/callers.ts'
import { createJwtVerifier } from '../api/jwt-verifier.ts'
import type { Clock, Log } from '../broker/ports.ts'
import { hashCallerToken } from '../config/caller-token.ts'
import type { CallerConfig, Config } from '../config/config.ts'
import { eternalCallers, expiriesOf, haveAllExpired } from '../config/expiries.ts'
import type { ReadFile } from '../config/files.ts'
import { readOrCreateOperatorToken } from '../config/operator-token.ts'
import { readListenAgain } from '../config/tls-files.ts'
import type { Http } from '../egress/http.ts'
import { watchExpiries } from './serve-expiries.ts'
import { readJwks } from './serve-jwks.ts'

/** Callers named in one line of the log. */
const NAMES_MAX = 50

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
    jwts: createJwtVerifier({ readKeys: source => readJwks(source, http, readFile), clock, log }),
    clock,
  })
  sayEternal(configured, log)
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
      sayEternal(next, log)
      sayIfNobodyCanCall()
    },
    close: watchExpiries(current, log, clock),
  }
}

/** A token that nobody has to replace is one that still works when it is found years later. */
function sayEternal(callers: readonly CallerConfig[], log: Pick<Log, 'warn'>): void {
  const names = eternalCallers(callers)
  if (names.length === 0) return
  log.warn('Static tokens of callers never expire: give each an end with expires', {
    count: names.length,
    callers: names.slice(0, NAMES_MAX),
  })
}
