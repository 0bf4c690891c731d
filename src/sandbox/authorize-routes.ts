import type { FastifyInstance, FastifyReply } from 'fastify'
import { consentPage } from './consent-page.ts'
import type { Consent, Consents, Decision } from './consents.ts'
import type { Answer, CallbackOutcome, Dialect } from './dialect.ts'
import { Refusal } from './errors.ts'
import { readRequest } from './incoming.ts'
import { otherOrigin } from './other-origin.ts'
import { mistakePage } from './page.ts'
import type { Realm } from './realm.ts'
import type { DialectRequest, Parameters } from './request.ts'
import type { Serve } from './serve.ts'

/** What the routes of one dialect's server work with. */
export interface AuthorizeParts {
  readonly dialect: Dialect
  readonly realm: Realm
  readonly consents: Consents
  readonly serve: Serve
  /** Where the sandbox listens, for example `http://127.0.0.1:8087`. */
  origin(): string
}

const GONE = 'This consent is unknown, already decided or older than ten minutes. Start again at the client.'

/**
 * The authorization endpoint (RFC 6749 section 3.1) and the consent page behind it.
 *
 * The page stands at the endpoint itself; it has an address of its own where a second origin lies between, and
 * where nobody is asked.
 */
export function authorizeRoutes(app: FastifyInstance, parts: AuthorizeParts): void {
  const { dialect, realm, consents, serve } = parts

  app.get(`/${dialect.id}${dialect.authorize.path}`, (incoming, reply) => {
    const request = readRequest(incoming)
    const clientId = claimedClientId(dialect, request.query)
    const act = () => authorize(parts, request)
    return serve({ dialect, operation: 'authorize', clientId, request, act }, reply)
  })

  app.get<{ Params: { id: string } }>(`/${dialect.id}/_consent/:id`, (incoming, reply) => {
    const request = readRequest(incoming)
    const consent = consents.find(incoming.params.id)
    if (consent === undefined) return pass(reply, mistake(GONE, 404))
    const { clientId } = consent
    const decision = decisionWithoutUser(realm, consent)
    const operation = decision === undefined ? 'authorize' : 'callback'
    const act = () => (decision === undefined ? ask(parts, consent) : leave(parts, consent, decision, 302))
    return serve({ dialect, operation, clientId, request, act }, reply)
  })

  app.post<{ Params: { id: string } }>(`/${dialect.id}/_consent/:id`, (incoming, reply) => {
    const request = readRequest(incoming)
    const consent = consents.find(incoming.params.id)
    if (consent === undefined) return pass(reply, mistake(GONE, 404))
    const act = () => leave(parts, consent, readDecision(request.body), 303)
    return serve({ dialect, operation: 'callback', clientId: consent.clientId, request, act }, reply)
  })
}

function pass(reply: FastifyReply, { status, html }: Answer): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(html)
}

function mistake(message: string, status = 400): Answer {
  return { status, html: mistakePage(message) }
}

function claimedClientId(dialect: Dialect, query: Parameters): string | undefined {
  try {
    return dialect.authorize.read(query).clientId
  } catch {
    return undefined
  }
}

function authorize(parts: AuthorizeParts, { query }: DialectRequest): Answer {
  const { dialect, realm, consents, origin } = parts
  const opened = consents.open(query)
  switch (opened.kind) {
    case 'mistake':
      return mistake(opened.message)
    case 'refused':
      return back(parts, opened, { kind: 'refused', refusal: opened.refusal }, 302)
    case 'open': {
      const { consent, detour } = realm.behaviors.of(opened.consent.clientId)
      if (consent === 'ask' && !detour) return ask(parts, opened.consent)
      const place = detour ? otherOrigin(origin()) : origin()
      return { status: 302, headers: { location: `${place}/${dialect.id}/_consent/${opened.consent.id}` } }
    }
  }
}

function ask({ dialect, realm }: AuthorizeParts, consent: Consent): Answer {
  const { id, clientId, redirectUri, scopes } = consent
  const action = `/${dialect.id}/_consent/${id}`
  const accounts = realm.accounts.list()
  return {
    status: 200,
    html: consentPage({ title: dialect.title, clientId, redirectUri, scopes, accounts, action }),
  }
}

/** What the behaviour decides in the user's place; undefined = the user is asked. */
function decisionWithoutUser(realm: Realm, { clientId, scopes }: Consent): Decision | undefined {
  const { consent, consentAccountId, consentWithheldScopes } = realm.behaviors.of(clientId)
  if (consent === 'ask') return undefined
  return {
    allow: consent === 'allow',
    accountId: consentAccountId ?? realm.accounts.first().id,
    scopes: scopes.filter(scope => !consentWithheldScopes.includes(scope)),
  }
}

/** Ticked boxes arrive as one value or several, or not at all. */
function readDecision(form: Parameters): Decision {
  const ticked = [form.scope ?? []].flat()
  return {
    allow: form.decision === 'allow',
    accountId: typeof form.account === 'string' ? form.account : undefined,
    scopes: ticked.filter(scope => typeof scope === 'string'),
  }
}

function leave(parts: AuthorizeParts, consent: Consent, decision: Decision, status: 302 | 303): Answer {
  try {
    const outcome = parts.consents.decide(consent, decision)
    return back(parts, { redirectUri: consent.redirectUri, state: consent.request.state }, outcome, status)
  } catch (error) {
    if (error instanceof Refusal) return mistake(`${error.message}.`)
    throw error
  }
}

/** Sends the browser back to the client, whose own query is kept (RFC 6749 section 3.1.2). */
function back(
  { dialect, origin }: AuthorizeParts,
  { redirectUri, state }: { readonly redirectUri: string; readonly state?: string },
  outcome: CallbackOutcome,
  status: 302 | 303,
): Answer {
  const parameters = dialect.authorize.callback(outcome, { state, issuer: `${origin()}/${dialect.id}` })
  const present = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const separator = redirectUri.includes('?') ? '&' : '?'
  const { fragment } = dialect.authorize
  const end = outcome.kind === 'allowed' && fragment !== undefined ? `#${fragment}` : ''
  return { status, headers: { location: `${redirectUri}${separator}${new URLSearchParams(present)}${end}` } }
}
