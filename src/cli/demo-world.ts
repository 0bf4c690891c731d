import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, relative, resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { DEFAULT_CLIENT } from '../sandbox/clients.ts'
import { createSandbox, type Sandbox } from '../sandbox/sandbox.ts'
import { createLog } from '../telemetry/log.ts'
import { type RunningBroker, startBroker } from './serve-broker.ts'
import { systemClock, systemRandom } from './system-ports.ts'

const HOST = '127.0.0.1'
/** The usual ports; where one is taken, a free one is used instead. */
const PORTS = { grpc: 50_051, http: 8085, admin: 8086, sandbox: 8087 }

/** What the demo walks with: an id for the broker, and the dialect that the sandbox speaks for it. */
export interface DemoProvider {
  readonly id: string
  readonly dialect: string
}

/** Every provider that the demo walks. */
export const DEMO_PROVIDERS: readonly DemoProvider[] = [
  { id: 'acme', dialect: 'oauth2' },
  { id: 'pinterest', dialect: 'pinterest' },
  { id: 'tiktok-business', dialect: 'tiktok-business' },
  { id: 'tiktok-login', dialect: 'tiktok-login' },
  { id: 'square', dialect: 'square' },
]

/** A broker and a sandbox that know each other. */
export interface DemoWorld {
  readonly sandbox: Sandbox
  readonly running: RunningBroker
  /** Relative to the working directory. */
  readonly folder: string
  readonly grpcAddress: string
  readonly tokenFile: string
  readonly publicUrl: string
  readonly sandboxOrigin: string
  stop(): Promise<void>
}

/** Starts both in one process, with everything that they write below one folder. */
export async function createDemoWorld(folder: string): Promise<DemoWorld> {
  const sandbox = createSandbox({ clock: systemClock, random: systemRandom, options: { autoApprove: true } })
  const { origin } = await sandbox.listen({ host: HOST, port: await freePort(PORTS.sandbox) })
  try {
    const ports = {
      grpc: await freePort(PORTS.grpc),
      http: await freePort(PORTS.http),
      admin: await freePort(PORTS.admin),
    }
    const configPath = await writeConfig(folder, origin, ports)
    const config = await loadConfig({
      argvPath: configPath,
      env: {},
      cwd: process.cwd(),
      readFile: path => readFile(path),
      runCommand: () => Promise.reject(new Error('the demo runs no commands')),
    })
    const log = createLog('warn', { write: line => void process.stderr.write(line) })
    const running = await startBroker(config, log)
    return {
      sandbox,
      running,
      folder: relative(process.cwd(), folder),
      grpcAddress: `${HOST}:${running.grpcPorts[0]}`,
      tokenFile: join(folder, 'operator.token'),
      publicUrl: config.publicUrl,
      sandboxOrigin: origin,
      async stop() {
        await running.stop()
        await sandbox.close()
      },
    }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

/** The demo's configuration is a file like any other, to be read and changed. */
async function writeConfig(
  folder: string,
  sandboxOrigin: string,
  ports: { readonly grpc: number; readonly http: number; readonly admin: number },
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = resolve(folder, 'broker.yaml')
  await writeFile(join(folder, 'client-secret'), DEFAULT_CLIENT.clientSecret ?? '', { mode: 0o600 })
  await writeFile(
    path,
    `# Written by: token-broker demo. Everything here talks to the sandbox on this machine.
data_dir: .
listen:
  grpc: [{address: ${HOST}:${ports.grpc}}]
  http: {address: ${HOST}:${ports.http}}
  admin: {address: ${HOST}:${ports.admin}}
public_url: http://${HOST}:${ports.http}
providers:
  acme:
    definition: {issuer: ${sandboxOrigin}/oauth2}
    client_id: ${DEFAULT_CLIENT.clientId}
    client_secret: {file: client-secret}
    scopes: [read, write]
${Object.entries(BUILT_IN_SCOPES)
  .map(([id, scopes]) => builtIn(id, scopes, sandboxOrigin))
  .join('')}`,
  )
  return path
}

/** What the demo asks of each provider whose definition ships with the broker. */
const BUILT_IN_SCOPES: Readonly<Record<string, readonly string[]>> = {
  pinterest: ['user_accounts:read', 'ads:read'],
  'tiktok-business': ['user.info.basic', 'video.list'],
  'tiktok-login': ['user.info.basic', 'video.list'],
  square: ['MERCHANT_PROFILE_READ', 'PAYMENTS_READ'],
}

function builtIn(id: string, scopes: readonly string[], sandboxOrigin: string): string {
  return `  ${id}:
    endpoints_base: ${sandboxOrigin}/${id}
    client_id: ${DEFAULT_CLIENT.clientId}
    client_secret: {file: client-secret}
    scopes: [${scopes.map(scope => `"${scope}"`).join(', ')}]
`
}

function freePort(preferred: number): Promise<number> {
  return tryPort(preferred).catch(() => tryPort(0))
}

function tryPort(port: number): Promise<number> {
  return new Promise((fulfil, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, HOST, () => {
      const address = server.address()
      server.close(() => fulfil(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
