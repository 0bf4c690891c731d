import cookiePlugin from '@fastify/cookie'
import rateLimit from '@fastify/rate-limit'
import type { ConsentFlow } from '../broker/consent/flow.ts'
import type { Log, Random } from '../broker/ports.ts'
import type { Listener } from '../config/config.ts'
import type { ReadFile } from '../config/files.ts'
import { createBindingCookie } from './binding-cookie.ts'
import { addConsentRoutes, consentMethods } from './consent-routes.ts'
import { HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { createListener, type HttpServer, serverOf } from './listener.ts'
import { refusalPage } from './pages/refusal-page.ts'

/** Addresses whose requests are counted; the longest unseen is forgotten first. About 1 MiB. */
const COUNTED_ADDRESSES_MAX = 5_000

/** What the browser edge is made of. */
export interface ConsentServerOptions {
  readonly flow: ConsentFlow
  /** Where browsers reach this server; decides about https, cookies and which forms are ours. */
  readonly publicUrl: string
  /** Absent or `proxy` = plain HTTP on this socket. */
  readonly tls?: Listener['tls']
  /** Reads certificates that have changed. Absent = they are not read again. */
  readonly readFile?: ReadFile
  /** Addresses or CIDR ranges whose `X-Forwarded-For` is believed; empty = nobody's. */
  readonly trustedProxies: readonly string[]
  readonly log: Log
  readonly random: Random
  /** Default {@link HTTP_LIMITS}. */
  readonly limits?: HttpLimits
}

/** Creates the server of consent pages and callbacks. */
export function createConsentServer(options: ConsentServerOptions): HttpServer {
  const { flow, tls, readFile, trustedProxies, log, random, limits = HTTP_LIMITS } = options
  const { origin: publicOrigin, protocol } = new URL(options.publicUrl)
  const https = protocol === 'https:'
  const allowedMethods = (path: string) => consentMethods(flow, path)
  const app = createListener({
    tls,
    readFile,
    https,
    trustedProxies,
    limits,
    log,
    refusal: refusalPage,
    allowedMethods,
  })

  app.register(cookiePlugin, { hook: 'onRequest' })
  app.register(rateLimit, {
    global: false,
    max: limits.requestsPerMinuteMax,
    timeWindow: 60_000,
    cache: COUNTED_ADDRESSES_MAX,
    // Whoever is limited is told when to return; everybody else need not know how much is left.
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
  })
  app.after(() => {
    app.addHook('onRequest', app.rateLimit())
    addConsentRoutes(app, { flow, cookie: createBindingCookie(https, random), publicOrigin, limits })
  })
  return serverOf(app)
}
