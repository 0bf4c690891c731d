import { join } from 'node:path'
import { parseAddress } from './address.ts'
import { type Environment, variable } from './environment.ts'
import { Mistake } from './mistake.ts'
import { OPERATOR_TOKEN_FILE } from './operator-token.ts'
import { ConfigError } from './problem.ts'

const DEFAULT_ADDRESS = '127.0.0.1:50051'
const DEFAULT_DATA_DIR = './data'

/** How the command line reaches a running broker. Paths are as written, relative to the working directory. */
export interface ClientSettings {
  /** `host:port`, or `unix:` and a path. */
  readonly address: string
  /**
   * The file of the caller token: the operator's, in the data directory, unless another is named.
   * Absent = a certificate says who calls.
   */
  readonly tokenFile?: string
  /** PEM of the certificate authorities to trust instead of the system's. */
  readonly caFile?: string
  /** PEM of the client's own certificate; `keyFile` is set too. */
  readonly certFile?: string
  readonly keyFile?: string
}

/**
 * The client's settings: `TOKEN_BROKER_ADDRESS`, `_TOKEN_FILE`, `_CA_FILE`, `_CERT_FILE`, `_KEY_FILE`, and
 * `_DATA_DIR` for the place of the operator's token.
 *
 * @throws ConfigError
 */
export function clientSettings(env: Environment): ClientSettings {
  const address = variable(env, 'TOKEN_BROKER_ADDRESS') ?? DEFAULT_ADDRESS
  const certFile = variable(env, 'TOKEN_BROKER_CERT_FILE')
  const keyFile = variable(env, 'TOKEN_BROKER_KEY_FILE')
  requireAddress(address)
  if (certFile !== undefined && keyFile === undefined) throw incomplete('KEY', 'CERT')
  if (keyFile !== undefined && certFile === undefined) throw incomplete('CERT', 'KEY')
  return {
    address,
    tokenFile:
      variable(env, 'TOKEN_BROKER_TOKEN_FILE') ??
      (certFile === undefined ? operatorTokenFile(env) : undefined),
    caFile: variable(env, 'TOKEN_BROKER_CA_FILE'),
    certFile,
    keyFile,
  }
}

function operatorTokenFile(env: Environment): string {
  return join(variable(env, 'TOKEN_BROKER_DATA_DIR') ?? DEFAULT_DATA_DIR, OPERATOR_TOKEN_FILE)
}

function requireAddress(address: string): void {
  if (address.startsWith('unix:')) return
  try {
    parseAddress(address)
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    throw refused('TOKEN_BROKER_ADDRESS', error.message)
  }
}

function incomplete(missing: string, given: string): ConfigError {
  return refused(
    `TOKEN_BROKER_${missing}_FILE`,
    `is missing; TOKEN_BROKER_${given}_FILE is set, and they go together`,
  )
}

function refused(path: string, message: string): ConfigError {
  return new ConfigError([{ origin: 'environment', path, message }])
}
