import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { DEFAULT_CLIENT } from '../sandbox/clients.ts'
import { createSandbox, type Sandbox } from '../sandbox/sandbox.ts'
import { createLog } from '../telemetry/log.ts'
import { type DemoPorts, startOnFreePorts } from './demo-ports.ts'
import { type RunningBroker, startBroker } from './serve-broker.ts'
import { systemClock, systemRandom } from './system-ports.ts'

const HOST = '127.0.0.1'

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

/**
 * Starts both in one process, with everything that they write below one folder.
 *
 * @param ports preferred; where one is taken, a free one is used instead
 */
export async function createDemoWorld(folder: string, ports: DemoPorts): Promise<DemoWorld> {
  const { sandbox: sandboxPort, ...brokerPorts } = ports
  const { sandbox, origin } = await startOnFreePorts(HOST, { port: sandboxPort }, startSandbox)
  try {
    const { running, publicUrl } = await startOnFreePorts(HOST, brokerPorts, async chosen =>
      startConfigured(await writeConfig(folder, origin, chosen)),
    )
    return {
      sandbox,
      running,
      folder: relative(process.cwd(), folder),
      grpcAddress: `${HOST}:${running.grpcPorts[0]}`,
      tokenFile: join(folder, 'operator.token'),
      publicUrl,
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

async function startSandbox({ port }: { readonly port: number }) {
  const sandbox = createSandbox({ clock: systemClock, random: systemRandom, options: { autoApprove: true } })
  try {
    const { origin } = await sandbox.listen({ host: HOST, port })
    return { sandbox, origin }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

async function startConfigured(configPath: string) {
  const config = await loadConfig({
    argvPath: configPath,
    env: {},
    cwd: process.cwd(),
    readFile: path => readFile(path),
    runCommand: () => Promise.reject(new Error('the demo runs no commands')),
  })
  const log = createLog('warn', { write: line => void process.stderr.write(line) })
  return { running: await startBroker(config, log), publicUrl: config.publicUrl }
}

/** The demo's configuration is a file like any other, to be read and changed. */
async function writeConfig(
  folder: string,
  sandboxOrigin: string,
  ports: Omit<DemoPorts, 'sandbox'>,
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
