import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { HOST } from '../e2e/broker-process.ts'
import { CLIENT, type OidcServer, startOidcServer } from '../e2e/oidc-server.ts'
import type { Answer, Dialect, Incoming } from './dialect.ts'
import { createAnswerKeeper, type KeptAnswer } from './kept-answer.ts'
import { createUpstream, type Upstream } from './upstream.ts'

/** No request of the broker's is longer. */
const BODY_BYTES_MAX = 64 * 1024
/** Where the server behind sends browsers back to. */
const RETURN_PATH = '/returned'

/** A provider: its shape in front, a server that this project did not write behind. */
export interface Front {
  readonly origin: string
  readonly server: OidcServer
  readonly upstream: Upstream
  /** Requests that the dialect does not know, by method and path. */
  readonly strays: string[]
  /** The user takes the consent back at the provider. */
  withdraw(): Promise<void>
  /** Keeps the next answer to the broker back, after the server behind has acted. */
  keepNextAnswer(): KeptAnswer
  /** From now on the user leaves out the scope that does not name the account. */
  untick(): void
}

/**
 * Starts both on free ports. They close when the test ends.
 *
 * @param redirectUri        where the client wants its browsers back; others are refused, as where it is registered
 * @param accessTokenSeconds how long access tokens live
 */
export async function startFront(
  dialect: Dialect,
  { redirectUri, accessTokenSeconds }: { readonly redirectUri: string; readonly accessTokenSeconds: number },
): Promise<Front> {
  const http = createServer().listen(0, HOST)
  await new Promise(resolve => http.once('listening', resolve))
  onTestFinished(() => void http.close().closeAllConnections())
  const origin = `http://${HOST}:${(http.address() as AddressInfo).port}`
  const server = await startOidcServer({
    redirectUri: origin + RETURN_PATH,
    rotates: dialect.rotates,
    accessTokenSeconds,
  })
  const { identity, other } = dialect.scopes
  const upstream = createUpstream(server.issuer, { openid: identity, reports: other })
  const routes = dialect.routes(redirecting(upstream, redirectUri, origin + RETURN_PATH))
  const consent = createConsent(dialect, server.issuer, redirectUri, origin + RETURN_PATH)
  const strays: string[] = []
  const keeper = createAnswerKeeper()

  async function serve(request: IncomingMessage): Promise<Answer | URL | undefined> {
    const { pathname, searchParams } = new URL(request.url ?? '', origin)
    const name = `${request.method} ${pathname}`
    if (name === `GET ${dialect.authorizePath}`) return consent.begin(searchParams)
    if (name === `GET ${RETURN_PATH}`) return consent.end(searchParams)
    const route = routes[name]
    if (route === undefined) {
      strays.push(name)
      return { status: 404 }
    }
    const answer = await route(await read(request, searchParams))
    return (await keeper.pass()) ? answer : undefined
  }
  http.on('request', (request, response) => void serve(request).then(answer => send(response, answer)))
  return {
    origin,
    server,
    upstream,
    strays,
    untick: consent.untick,
    keepNextAnswer: keeper.keepNext,
    async withdraw() {
      const client = { id: CLIENT.id, secret: CLIENT.secret }
      const outcome = await upstream.revokeGrant(client, upstream.newest().accessToken)
      if (outcome !== 'revoked') throw new Error(`the server did not end its grant: ${outcome}`)
    },
  }
}

/** The server knows this front's address for the client's: any other that the client names stays wrong. */
function redirecting(upstream: Upstream, registered: string, ours: string): Upstream {
  return {
    ...upstream,
    exchange: (client, code, redirectUri) =>
      upstream.exchange(client, code, redirectUri === registered ? ours : redirectUri),
  }
}

function createConsent(dialect: Dialect, issuer: string, registered: string, ours: string) {
  const { identity, other } = dialect.scopes
  let isUnticked = false
  /** What was asked for, by state. */
  const asked = new Map<string, readonly string[]>()
  return {
    untick() {
      isUnticked = true
    },
    /** Translates the request for a consent page. */
    begin(query: URLSearchParams): Answer | URL {
      const wanted = dialect.readAuthorization(query)
      const isKnown = wanted?.scopes.every(scope => scope === identity || scope === other)
      if (wanted === undefined || wanted.redirectUri !== registered || !isKnown) return { status: 400 }
      const granted = wanted.scopes.filter(scope => scope === identity || !isUnticked)
      asked.set(wanted.state, granted)
      const scope = ['offline_access', ...granted.map(name => (name === identity ? 'openid' : 'reports'))]
      return withQuery(`${issuer}/auth`, {
        response_type: 'code',
        client_id: wanted.clientId,
        redirect_uri: ours,
        scope: scope.join(' '),
        state: wanted.state,
        // Without it the server ignores `offline_access` (OpenID Connect Core section 11).
        prompt: 'consent',
      })
    },
    /** Translates the way back from it. */
    end(query: URLSearchParams): URL {
      const { code, error = '', error_description: description = '', state = '' } = Object.fromEntries(query)
      const decision = code === undefined ? { error, description } : { code, scopes: asked.get(state) ?? [] }
      const { query: shaped, fragment = '' } = dialect.callback(decision)
      const url = withQuery(registered, { ...shaped, state })
      url.hash = fragment
      return url
    },
  }
}

function withQuery(base: string, query: Readonly<Record<string, string>>): URL {
  const url = new URL(base)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

async function read(request: IncomingMessage, query: URLSearchParams): Promise<Incoming> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > BODY_BYTES_MAX) throw new Error('a request is too long')
  }
  const { headers } = request
  switch (headers['content-type']) {
    case 'application/json':
      return { headers, query, encoding: 'json', body: JSON.parse(text) }
    case 'application/x-www-form-urlencoded':
      return { headers, query, encoding: 'form', body: Object.fromEntries(new URLSearchParams(text)) }
    default:
      return { headers, query, encoding: undefined, body: {} }
  }
}

function send(response: ServerResponse, answer: Answer | URL | undefined): void {
  if (answer === undefined) {
    response.destroy()
    return
  }
  if (answer instanceof URL) {
    response.writeHead(302, { location: answer.href }).end()
    return
  }
  const { status, body } = answer
  if (body === undefined) response.writeHead(status).end()
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
