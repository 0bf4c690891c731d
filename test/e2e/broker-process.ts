import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { onTestFinished } from 'vitest'
import { startBroker } from '../../src/cli/serve-broker.ts'
import { systemClock, systemRandom } from '../../src/cli/system-ports.ts'
import { loadConfig } from '../../src/config/load.ts'
import {
  AdminServiceClient,
  type CreateConsentLinkRequest,
  type CreateConsentLinkResponse,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  GetAccessTokenRequest,
  TokenBrokerServiceClient,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import type { SandboxOptions } from '../../src/sandbox/options.ts'
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { call, type Failure, failureOf } from '../api/running-server.ts'
import { noteFolder, noteSecret } from '../canaries.ts'

export const HOST = '127.0.0.1'

/** A broker's configuration and data, which outlive its restarts. Gone when the test ends. */
export interface Home {
  readonly folder: string
  readonly dataDir: string
  readonly configPath: string
  /** The same at every start, so that it can be registered at a provider. */
  readonly publicUrl: string
  /** Everything that was logged, from `debug` on, over all starts. */
  readonly logLines: string[]
  /** Writes the configuration: YAML of `providers`, and whatever else goes to the top level. */
  configure(providers: string, more?: string): Promise<void>
  /** Writes a file that the configuration names, readable for us alone. */
  writeFile(name: string, text: string): Promise<void>
  /** Starts a broker in this process, with a channel of its own. It stops when the test ends, if not before. */
  start(): Promise<RunningBroker>
}

/** A broker that runs in this process, spoken to over gRPC as the operator. */
export interface RunningBroker {
  readonly address: string
  readonly tokenFile: string
  readonly tokens: TokenBrokerServiceClient
  readonly admin: AdminServiceClient
  /** The operator's credentials. */
  readonly operator: Metadata
  /** @throws ServiceError, as grpc-js has it */
  getToken(provider: string, more?: Partial<GetAccessTokenRequest>): Promise<AccessToken>
  /** How `getToken` fails. */
  refusal(provider: string, more?: Partial<GetAccessTokenRequest>): Promise<Failure>
  createLink(provider: string, more?: Partial<CreateConsentLinkRequest>): Promise<CreateConsentLinkResponse>
  /** Calls any method of one of the clients. */
  call<Request, Response>(
    client: Client,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response>
  stop(): Promise<void>
}

type Method<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline?: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => { cancel(): void }

/** @param publicHost by which name browsers reach the broker on this machine */
export async function createHome({ publicHost = HOST } = {}): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-e2e-'))
  onTestFinished(() => {
    noteFolder(folder)
    return rm(folder, { recursive: true, force: true })
  })
  const httpPort = await freePort()
  const configPath = join(folder, 'broker.yaml')
  const logLines: string[] = []
  const home: Home = {
    folder,
    dataDir: join(folder, 'data'),
    configPath,
    publicUrl: `http://${publicHost}:${httpPort}`,
    logLines,
    configure: (providers, more = '') =>
      writeFile(
        configPath,
        `listen:
  grpc: [{address: ${HOST}:0}]
  http: {address: ${HOST}:${httpPort}}
  admin: {address: ${HOST}:0}
public_url: http://${publicHost}:${httpPort}
data_dir: data
providers:${indent(providers)}
${more}`,
      ),
    writeFile: (name, text) => {
      noteSecret(text.trim())
      return writeFile(join(folder, name), text, { mode: 0o600 })
    },
    start: () => start(home),
  }
  return home
}

/** A sandbox on a free port, closed when the test ends. */
export async function startSandbox(
  options: SandboxOptions = {},
): Promise<{ readonly sandbox: Sandbox; readonly origin: string }> {
  const sandbox = createSandbox({ clock: systemClock, random: systemRandom, options })
  onTestFinished(() => sandbox.close())
  return { sandbox, ...(await sandbox.listen({ host: HOST, port: 0 })) }
}

/** Below those that systems give away by themselves, so that no other socket is given ours in between. */
const PORT_MIN = 20_000
const PORT_MAX = 32_000
/** More ports in a row than that are not taken by accident. */
const PORT_TRIES_MAX = 100

/** A port that nobody used a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, HOST, () => server.close(() => resolve(true)))
  })
}

function indent(yaml: string): string {
  return yaml === '' ? ' {}' : `\n${yaml.replace(/^/gm, '  ')}`
}

async function start({ configPath, folder, dataDir, logLines }: Home): Promise<RunningBroker> {
  const config = await loadConfig({
    argvPath: configPath,
    env: {},
    cwd: folder,
    readFile: path => readFile(path),
    runCommand: () => Promise.reject(new Error('these tests run no commands')),
  })
  const running = await startBroker(config, createLog('debug', { write: line => void logLines.push(line) }))
  const tokenFile = join(dataDir, 'operator.token')
  const address = `${HOST}:${running.grpcPorts[0]}`
  const tokens = new TokenBrokerServiceClient(address, credentials.createInsecure())
  const admin = new AdminServiceClient(address, credentials.createInsecure())
  const operator = new Metadata()
  operator.set('authorization', `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`)
  let stopped: Promise<void> | undefined
  const stop = () => {
    tokens.close()
    admin.close()
    stopped ??= running.stop()
    return stopped
  }
  onTestFinished(stop)

  const getToken = async (provider: string, more: Partial<GetAccessTokenRequest> = {}) => {
    const request = GetAccessTokenRequest.fromPartial({ provider, ...more })
    const { token } = await call(tokens, tokens.getAccessToken, request, operator)
    if (token === undefined) throw new Error('the answer has no token')
    return token
  }
  return {
    address,
    tokenFile,
    tokens,
    admin,
    operator,
    getToken,
    refusal: (provider, more) => failureOf(getToken(provider, more)),
    createLink: (provider, more = {}) =>
      call(admin, admin.createConsentLink, { ...NO_WISHES, provider, ...more }, operator),
    call: (client, method, request) => call(client, method, request, operator),
    stop,
  }
}

const NO_WISHES: CreateConsentLinkRequest = {
  provider: '',
  account: '',
  scopes: [],
  variables: {},
  subject: '',
  returnId: '',
  allowAccountChange: false,
}
