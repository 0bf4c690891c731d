import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { parseAccount } from './accounts.ts'
import { parseBehaviorPatch } from './behavior.ts'
import { parseClient } from './clients.ts'
import type { SandboxControl } from './control.ts'
import { SandboxError } from './errors.ts'
import { parseFault } from './fault.ts'
import { readRequest } from './incoming.ts'
import { parse } from './parse.ts'
import { fromWire, toWire, wireName } from './wire.ts'

/** Entries in one answer; the newest, because a test asks about what just happened. */
const ENTRIES_MAX = 1_000

const text = z.string().optional()
const grantFields = { dialect: text, clientId: text, accountId: text, grantId: text }
const grantFilter = z.strictObject(grantFields)
const trafficFilter = z.strictObject({ dialect: text, operation: text, clientId: text })
const clientOnly = z.strictObject({ clientId: text })
const nothing = z.strictObject({})
const expiry = z.strictObject({ kind: z.enum(['access', 'refresh']), ...grantFields })
const revocation = z.strictObject({ kind: z.enum(['access', 'refresh', 'grant']), ...grantFields })
const grantRequest = z.strictObject({
  dialect: z.string(),
  clientId: text,
  accountId: text,
  scopes: z.array(z.string()).optional(),
})
const faultId = z.strictObject({ id: z.string() })
const dialectId = z.strictObject({ dialect: z.string() })

/**
 * The control API over HTTP: JSON, names in snake_case, everything below `/_sandbox`.
 *
 * It is for programs. A web page's request is refused, so that no page that is open in the same browser can
 * disturb a test.
 *
 * @param describe what the start page says: where everything is
 */
export function controlRoutes(app: FastifyInstance, control: SandboxControl, describe: () => object): void {
  app.addHook('onRequest', async request => refusePages(request))
  app.setErrorHandler((error, _request, reply) => answerError(error, reply))

  app.get('/', describe)
  app.get('/faults', () => list('faults', control.listFaults()))
  app.post('/faults', (request, reply) => created(reply, control.addFault(parseFault(body(request)))))
  app.delete('/faults', request => done(parse(nothing, query(request)), () => control.clearFaults()))
  app.delete('/faults/:id', request =>
    done(parse(faultId, request.params), ({ id }) => control.clearFaults(id)),
  )

  app.get('/behavior/:dialect', request =>
    toWire(control.behaviorOf(dialect(request), parse(clientOnly, query(request)).clientId)),
  )
  app.patch('/behavior/:dialect', request =>
    toWire(
      control.changeBehavior(
        dialect(request),
        parseBehaviorPatch(body(request)),
        parse(clientOnly, query(request)).clientId,
      ),
    ),
  )

  app.get('/clients', () => list('clients', control.listClients()))
  app.post('/clients', (request, reply) => created(reply, control.registerClient(parseClient(body(request)))))
  app.get('/accounts/:dialect', request => list('accounts', control.listAccounts(dialect(request))))
  app.post('/accounts/:dialect', (request, reply) =>
    created(reply, control.addAccount(dialect(request), parseAccount(body(request)))),
  )

  app.get('/grants', request => list('grants', control.listGrants(parse(grantFilter, query(request)))))
  app.post('/grants', (request, reply) =>
    created(reply, control.createGrant(parse(grantRequest, body(request)))),
  )
  app.get('/tokens', request => list('tokens', control.listTokens(parse(grantFilter, query(request)))))
  app.post('/expire', request => {
    const { kind, ...filter } = parse(expiry, body(request))
    return { expired: control.expireTokens(kind, filter) }
  })
  app.post('/revoke', request => {
    const { kind, ...filter } = parse(revocation, body(request))
    return { revoked: control.revoke(kind, filter) }
  })

  app.get('/requests', request => {
    const filter = parse(trafficFilter, query(request))
    return { ...list('requests', control.listRequests(filter)), total: control.countRequests(filter) }
  })
  app.post('/reset', request => done(parse(nothing, body(request)), () => control.reset()))
}

/** Browsers say where a request comes from; programs do not. */
function refusePages({ headers }: FastifyRequest): void {
  const site = headers['sec-fetch-site'] ?? 'none'
  if (headers.origin === undefined && site === 'none') return
  throw new SandboxError('forbidden', 'the control API does not answer web pages; call it from a program')
}

const STATUS = { forbidden: 403, invalid: 400, not_found: 404, not_loopback: 400 } as const

function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  if (!(error instanceof SandboxError)) throw error
  // A schema speaks of our names, the wire of its own.
  const message = error.reason === 'invalid' ? wireName(error.message) : error.message
  return reply.code(STATUS[error.reason]).send({ error: error.reason, message })
}

function body(request: FastifyRequest) {
  const read = readRequest(request)
  if (read.encoding === 'json') return fromWire(read.body)
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  if (length === '0' && encoding === undefined) return {}
  throw new SandboxError('invalid', 'the body must be a JSON object, sent as application/json')
}

function query(request: FastifyRequest) {
  return fromWire(readRequest(request).query)
}

function dialect(request: FastifyRequest): string {
  return parse(dialectId, request.params).dialect
}

function list(name: string, entries: readonly object[]) {
  return { total: entries.length, [name]: entries.slice(-ENTRIES_MAX).map(toWire) }
}

function created(reply: FastifyReply, entry: object) {
  reply.code(201)
  return toWire(entry)
}

function done<Parsed>(parsed: Parsed, act: (parsed: Parsed) => void) {
  act(parsed)
  return { done: true }
}
