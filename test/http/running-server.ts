import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { connect } from 'node:net'
import type { Log, LogFields } from '../../src/broker/ports.ts'
import { type ConsentServerOptions, createConsentServer } from '../../src/http/consent-server.ts'
import { HTTP_LIMITS, type HttpLimits } from '../../src/http/limits.ts'
import type { HttpServer } from '../../src/http/listener.ts'
import { notePage } from '../canaries.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface Question {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  /** Certificate authority; its presence means https. */
  readonly ca?: string
}

/** Sends one request over its own connection, the target exactly as given. */
export async function ask(port: number, path: string, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, ca } = question
  const target = { host: '127.0.0.1', port, path, method, headers, agent: false as const }
  const sent = ca === undefined ? request(target) : requestTls({ ...target, ca, servername: 'localhost' })
  sent.end(body)
  const [answer] = await once(sent, 'response')
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  notePage(answer.headers, text)
  return { status: answer.statusCode, headers: answer.headers, text }
}

/** Sends bytes as they are and reads until the server closes. */
export async function askRaw(port: number, bytes: string): Promise<Answer> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  let received = ''
  for await (const chunk of socket.setEncoding('utf8')) received += chunk
  const [head = '', ...rest] = received.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(lines.map(line => splitHeader(line)))
  notePage(headers, rest.join('\r\n\r\n'))
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

/** A log that keeps every line. */
export interface RecordingLog extends Log {
  readonly lines: { level: string; message: string; fields?: LogFields }[]
}

export function createRecordingLog(): RecordingLog {
  const lines: RecordingLog['lines'] = []
  const at = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push({ level, message, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export interface RunningConsentServer {
  readonly server: HttpServer
  readonly port: number
  readonly log: RecordingLog
}

type StartOptions = Pick<ConsentServerOptions, 'flow'> &
  Partial<Omit<ConsentServerOptions, 'flow' | 'log' | 'limits'>> & { readonly limits?: Partial<HttpLimits> }

const running: HttpServer[] = []

/** Starts a consent server on a free port; `stopServers` ends it. The n-th cookie is 43 times its number. */
export async function startConsentServer({
  limits,
  ...options
}: StartOptions): Promise<RunningConsentServer> {
  const log = createRecordingLog()
  let cookies = 0
  const server = createConsentServer({
    publicUrl: 'http://localhost:8085',
    trustedProxies: [],
    random: { token: () => String(++cookies).repeat(43), fraction: () => 0 },
    ...options,
    log,
    limits: { ...HTTP_LIMITS, ...limits },
  })
  return { server, log, ...(await start(server)) }
}

/** Listens on a free port of loopback. */
export async function start(server: HttpServer): Promise<{ port: number }> {
  running.push(server)
  return server.listen({ host: '127.0.0.1', port: 0 })
}

export async function stopServers(): Promise<void> {
  await Promise.all(running.splice(0).map(server => server.close()))
}
