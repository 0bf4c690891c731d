import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify'
import { isLoopback } from '../loopback.ts'
import { createAccounts } from './accounts.ts'
import { createBehaviors } from './behavior.ts'
import { createClients, DEFAULT_CLIENT } from './clients.ts'
import { createConsents } from './consents.ts'
import { createControl, type SandboxControl } from './control.ts'
import { controlRoutes } from './control-routes.ts'
import type { Dialect } from './dialect.ts'
import { dialectRoutes } from './dialect-routes.ts'
import { dialects } from './dialects.ts'
import { SandboxError } from './errors.ts'
import { createFaults } from './faults.ts'
import { BODY_BYTES_MAX, readBodies } from './incoming.ts'
import { initialBehavior, requireKnownDialects, type SandboxOptions } from './options.ts'
import { ANSWER_HEADERS } from './page.ts'
import { createPauses } from './pauses.ts'
import type { Clock, Random } from './ports.ts'
import { createRealm } from './realm.ts'
import { createServe } from './serve.ts'
import type { Site } from './site.ts'
import { createTraffic } from './traffic.ts'

/** Milliseconds for a request to arrive whole; on loopback anything slower is stuck. */
const REQUEST_TIMEOUT_MS = 10_000
/** Milliseconds an idle connection is kept: longer than any client keeps it, so that the client closes first. */
const KEEP_ALIVE_MS = 72_000

/** An authorization server on this machine that speaks the dialect of every definition. */
export interface Sandbox {
  /** Switches faults, changes behaviour, lists and ends grants, counts requests. Works before `listen` too. */
  readonly control: SandboxControl
  /**
   * Starts to serve. Call it once.
   *
   * @param address.host a loopback address or `localhost`
   * @param address.port 0 takes a free one
   * @returns where it is reached, for example `http://127.0.0.1:8087`; a dialect is below that
   * @throws SandboxError `not_loopback`; the system's error if the port is taken
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly origin: string }>
  /** Cuts every connection and forgets every delayed request. */
  close(): Promise<void>
}

/**
 * Creates a sandbox; nothing is served before `listen`.
 *
 * @throws SandboxError `invalid` or `not_found` for an option that cannot be
 */
export function createSandbox(parts: {
  readonly clock: Clock
  readonly random: Random
  readonly options?: SandboxOptions
}): Sandbox {
  const { clock, random, options = {} } = parts
  requireKnownDialects(options, dialects)
  const clients = createClients(options.clients ?? [])
  const faults = createFaults()
  const traffic = createTraffic()
  const pauses = createPauses(clock)
  let origin = ''

  const siteOf = (dialect: Dialect): Site => {
    const accounts = createAccounts(dialect.accounts, options.accounts?.[dialect.id])
    const behaviors = createBehaviors(initialBehavior(dialect, options))
    const { id, prefixes, pkceBehavior } = dialect
    const realm = createRealm({ id, prefixes, pkceBehavior, clients, accounts, behaviors, clock, random })
    return { dialect, realm, consents: createConsents(dialect, realm) }
  }
  const sites = new Map(dialects.map(dialect => [dialect.id, siteOf(dialect)]))
  const control = createControl({ sites, clients, faults, traffic })
  const shared = {
    serve: createServe({ faults, traffic, pauses, now: () => clock.now(), origin: () => origin }),
    origin: () => origin,
  }

  const app = createApp()
  for (const site of sites.values()) dialectRoutes(app, { ...site, ...shared })
  app.register(async scope => controlRoutes(scope, control, () => describe(origin, sites)), {
    prefix: '/_sandbox',
  })

  return {
    control,
    async listen({ host, port }) {
      if (!isLoopback(host)) throw notLoopback(host)
      await app.ready()
      origin = await app.listen({ host: host.replace(/^\[|\]$/g, ''), port })
      return { origin }
    },
    async close() {
      pauses.cancel()
      await app.close()
    },
  }
}

function createApp(): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true },
    frameworkErrors: (error, _request, reply) => unreadable(error, reply),
  })
  app.setErrorHandler((error: FastifyError, _request, reply) => unreadable(error, reply))
  readBodies(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(ANSWER_HEADERS)
  })
  app.setNotFoundHandler((_request, reply) => {
    reply
      .code(404)
      .send({ error: 'not_found', message: 'nothing is here; GET /_sandbox/ says what is where' })
  })
  return app
}

/** What fastify itself could not accept, without its text, which may repeat the URL. */
function unreadable({ statusCode = 500 }: FastifyError, reply: FastifyReply): void {
  const message = statusCode < 500 ? 'the request cannot be read' : 'the sandbox failed; please report it'
  reply
    .code(statusCode)
    .headers(ANSWER_HEADERS)
    .send({ error: statusCode < 500 ? 'invalid_request' : 'server_error', message })
}

/** It accepts a client secret that everybody can read, and lets everybody control it. */
function notLoopback(host: string): SandboxError {
  return new SandboxError(
    'not_loopback',
    `the sandbox listens on loopback only, not on "${host}": its client secret is public and anybody who reaches ` +
      'it can control it; use 127.0.0.1, ::1 or localhost',
  )
}

/** The start page of the control API. */
function describe(origin: string, sites: ReadonlyMap<string, Site>): object {
  return {
    client_id: DEFAULT_CLIENT.clientId,
    client_secret: DEFAULT_CLIENT.clientSecret,
    dialects: [...sites.values()].map(({ dialect }) => ({
      id: dialect.id,
      endpoints_base: `${origin}/${dialect.id}`,
      authorize: `GET /${dialect.id}${dialect.authorize.path}`,
      endpoints: dialect.endpoints.map(({ method, path }) => `${method} /${dialect.id}${path}`),
    })),
  }
}
