import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, credentials, Metadata } from '@grpc/grpc-js'
import { inject, onTestFinished } from 'vitest'
import { AdminServiceClient, ListConnectionsRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  type ConnectionStatus,
  GetAccessTokenRequest,
  TokenBrokerServiceClient,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { call } from '../api/running-server.ts'
import { PROVIDER } from './home.ts'
import { elapse, until } from './until.ts'

/** A start reads the keys, checks the database and listens; on a machine of two busy cores that takes seconds. */
const START_MS_MAX = 30_000
/** Beyond every call's own limit of 70 s, and the broker's for stopping. */
const EXIT_MS_MAX = 130_000
/** Callers wait 10 s for a refresh. Without a deadline a call on a broken connection would never end. */
const CALL_MS_MAX = 30_000

/** A broker as an operator runs it: a process of its own, of which we hold the pid, the output and two channels. */
export interface Program {
  readonly pid: number
  readonly grpcAddress: string
  /** Every line of its log so far. */
  readonly log: readonly LogLine[]
  readonly tokens: TokenBrokerServiceClient
  readonly admin: AdminServiceClient
  /** The operator's credentials. */
  readonly operator: Metadata
  hasExited(): boolean
  signal(name: NodeJS.Signals): void
  /** Ends it at once, as a power cut does but for what the kernel has in its caches. */
  kill(): Promise<void>
  /** Stops it as an operator does. */
  stop(): Promise<Exit>
  /** Calls any unary method, as the operator and with a deadline. */
  call<Request, Response>(
    client: Client,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response>
  getToken(account: string, more?: Partial<GetAccessTokenRequest>): Promise<AccessToken>
  /** Every connection, by account. */
  statuses(): Promise<Map<string, ConnectionStatus>>
}

/** As it is generated. */
export type Method<Request, Response> = Parameters<typeof call<Request, Response>>[1]

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

export interface Exit {
  /** null if a signal ended it. */
  readonly code: number | null
  readonly ms: number
}

/** Where and how it runs. */
export interface Setting {
  readonly configPath: string
  readonly dataDir: string
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
}

/** A process that was started, and may not serve yet. It ends when the test does, if not before. */
export interface Starting {
  /** Rejects with its output if it ends instead. */
  readonly serving: Promise<Program>
  kill(): Promise<void>
}

/** Starts it and waits until it serves. */
export function startProgram(setting: Setting): Promise<Program> {
  return launch(setting).serving
}

/** Starts it, for those who do not want to wait until it serves. */
export function launch({ configPath, dataDir, folder, env }: Setting): Starting {
  const { main, compileCache } = inject('built')
  const child = spawn(process.execPath, [main, 'serve', '--config', configPath], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const log: LogLine[] = []
  let errors = ''
  readLines(child, line => log.push(JSON.parse(line) as LogLine))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  onTestFinished(() => end(child))

  async function serve(): Promise<Program> {
    const line = await until('the broker serves', START_MS_MAX, () => {
      if (hasExited(child)) return { message: 'Exited' } as LogLine
      return log.find(({ message }) => message === 'Serving')
    }).catch(cause => {
      const said = log.map(({ message }) => message).join('; ')
      throw new Error(`the broker does not serve, and said: ${said}; ${errors}`, { cause })
    })
    if (line.message === 'Exited') throw new Error(`the broker ended with ${child.exitCode}: ${errors}`)
    const [grpcAddress = ''] = line.grpc as string[]
    return { ...connect(child, exited, grpcAddress, dataDir), log }
  }
  const serving = serve()
  // Whoever kills it while it starts does not wait for it.
  serving.catch(() => {})
  return {
    serving,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A run that is cut short must not leave processes behind. */
const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach(end))

/** Also where it is stopped. */
function end(child: ChildProcess): void {
  if (!hasExited(child)) child.kill('SIGKILL')
}

function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function connect(child: ChildProcess, exited: Promise<unknown>, grpcAddress: string, dataDir: string) {
  const tokens = new TokenBrokerServiceClient(grpcAddress, credentials.createInsecure())
  const admin = new AdminServiceClient(grpcAddress, credentials.createInsecure())
  const operator = new Metadata()
  operator.set('authorization', `Bearer ${readFileSync(join(dataDir, 'operator.token'), 'utf8').trim()}`)
  const close = () => {
    tokens.close()
    admin.close()
  }
  onTestFinished(close)

  async function exit(signal: NodeJS.Signals): Promise<Exit> {
    const began = performance.now()
    child.kill(signal)
    const overdue = new AbortController()
    const tooLong = elapse(EXIT_MS_MAX, overdue.signal).then(() => {
      throw new Error(`the broker did not end within ${EXIT_MS_MAX / 1_000} s of ${signal}`)
    })
    tooLong.catch(() => {})
    await Promise.race([exited, tooLong]).finally(() => overdue.abort())
    close()
    return { code: child.exitCode, ms: performance.now() - began }
  }

  const ask: Program['call'] = (client, method, request) =>
    call(client, method, request, operator, Date.now() + CALL_MS_MAX)

  return {
    pid: child.pid ?? 0,
    grpcAddress,
    tokens,
    admin,
    operator,
    hasExited: () => hasExited(child),
    signal: (name: NodeJS.Signals) => void child.kill(name),
    kill: async () => void (await exit('SIGKILL')),
    stop: () => exit('SIGTERM'),
    call: ask,
    async getToken(account: string, more: Partial<GetAccessTokenRequest> = {}) {
      const request = GetAccessTokenRequest.fromPartial({ provider: PROVIDER, account, ...more })
      const { token } = await ask(tokens, tokens.getAccessToken, request)
      if (token === undefined) throw new Error('the answer has no token')
      return token
    },
    async statuses() {
      const request = ListConnectionsRequest.fromPartial({ provider: PROVIDER, pageSize: 1_000 })
      const { connections } = await ask(admin, admin.listConnections, request)
      return new Map(connections.map(status => [status.account, status]))
    },
  }
}

function readLines(child: ChildProcess, read: (line: string) => void): void {
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) read(line)
  })
}
