import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { BehaviorPatch } from '../../src/sandbox/behavior.ts'
import { freePort, HOST } from '../e2e/broker-process.ts'

/** The one provider of every broker here. */
export const PROVIDER = 'acme'
/** The sandbox's plain RFC 6749 server. */
export const DIALECT = 'oauth2'

/** A broker's configuration and data, which outlive its processes. Gone when the test ends. */
export interface Home {
  readonly folder: string
  readonly dataDir: string
  readonly configPath: string
}

/** How the provider is, and how the broker may use it. */
export interface HomeOptions {
  /** What the definition says of used refresh tokens; the sandbox has to do the same. */
  readonly replay: NonNullable<BehaviorPatch['replay']>
  /** With `replay: window`: milliseconds. */
  readonly windowMs?: number
  /** Refreshes in flight at once. Default: 8. */
  readonly concurrency?: number
  /** Whether browsers come, who have to find it at the same port after a restart. Default: false. */
  readonly isForBrowsers?: boolean
  /** Absent = beside the configuration; a place of its own for a disk that fills. */
  readonly dataDir?: string
}

/** More than any test asks for: what is limited here is how many are in flight. */
const PER_SECOND = 10_000

/** @param origin where the sandbox answers */
export async function createHome(origin: string, options: HomeOptions): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-chaos-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const { replay, windowMs, concurrency = 8, isForBrowsers = false, dataDir = join(folder, 'data') } = options
  // A port that is kept may be taken by somebody's outgoing connection while the broker is down.
  const httpPort = isForBrowsers ? await freePort() : 0
  const configPath = join(folder, 'broker.yaml')
  await writeFile(join(folder, 'client-secret'), 'sandbox-secret', { mode: 0o600 })
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const window = windowMs === undefined ? '' : `, window: ${windowMs / 1_000}s`
  await writeFile(
    configPath,
    `listen:
  grpc: [{address: ${HOST}:0}]
  http: {address: ${HOST}:${httpPort}}
  admin: {address: ${HOST}:0}
public_url: http://${HOST}:${httpPort}
data_dir: ${dataDir}
providers:
  ${PROVIDER}:
    definition:
      authorize_url: ${origin}/${DIALECT}/authorize
      token_url: ${origin}/${DIALECT}/token
      revoke_url: ${origin}/${DIALECT}/revoke
      verify_url: ${origin}/${DIALECT}/userinfo
      refresh: {replay: ${replay}${window}}
    client_id: sandbox-client
    client_secret: {file: client-secret}
    scopes: [read]
    limits: {concurrency: ${concurrency}, per_second: ${PER_SECOND}}
`,
  )
  return { folder, dataDir, configPath }
}
