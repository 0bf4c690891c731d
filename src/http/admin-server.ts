import type { FastifyReply } from 'fastify'
import type { Log } from '../broker/ports.ts'
import type { Listener } from '../config/config.ts'
import type { ReadFile } from '../config/files.ts'
import { HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { createListener, type HttpServer, serverOf } from './listener.ts'
import type { Content } from './refusal.ts'

const TEXT = 'text/plain; charset=utf-8'
const INDEX = `token broker, admin listener

/healthz  200 while the process lives
/readyz   200 when it can serve; 503 with one reason per line while it cannot
`
const PATHS: readonly string[] = ['/', '/healthz', '/readyz']

/** What the admin listener is made of. */
export interface AdminServerOptions {
  /** Why the broker is not ready to serve; empty when it is. Asked anew for every probe. */
  readonly unreadiness: () => readonly string[]
  /** Absent or `proxy` = plain HTTP on this socket. */
  readonly tls?: Listener['tls']
  /** Reads certificates that have changed. Absent = they are not read again. */
  readonly readFile?: ReadFile
  readonly log: Log
  /** Default {@link HTTP_LIMITS}; the rate per address is not applied, because a refused probe looks like a dead broker. */
  readonly limits?: HttpLimits
}

/** Creates the server that orchestrators probe. It answers from memory and takes no secrets. */
export function createAdminServer({
  unreadiness,
  tls,
  readFile,
  log,
  limits = HTTP_LIMITS,
}: AdminServerOptions): HttpServer {
  const https = tls !== undefined && tls !== 'proxy'
  const allowedMethods = (path: string) => (PATHS.includes(path) ? ['GET', 'HEAD'] : [])
  const app = createListener({
    ...{ tls, readFile, https, limits, log, refusal, allowedMethods },
    trustedProxies: [],
  })

  const method = ['GET', 'HEAD']
  app.route({ method, url: '/', handler: async (_request, reply) => sendText(reply, 200, INDEX) })
  app.route({ method, url: '/healthz', handler: async (_request, reply) => sendText(reply, 200, 'ok\n') })
  app.route({
    method,
    url: '/readyz',
    handler: async (_request, reply) => {
      const reasons = unreadiness()
      return reasons.length === 0
        ? sendText(reply, 200, 'ready\n')
        : sendText(reply, 503, reasons.map(reason => `${reason}\n`).join(''))
    },
  })
  return serverOf(app)
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type(TEXT).send(text)
}

function refusal(status: number): Content {
  return { type: TEXT, text: `${status}: this request cannot be answered; GET / names what is here\n` }
}
