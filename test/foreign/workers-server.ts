import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { HOST } from '../e2e/broker-process.ts'
import { createAnswerKeeper, type KeptAnswer } from './kept-answer.ts'
import { createKeyValue } from './key-value.ts'
import { importWorkersOAuthProvider } from './workers-package.ts'

/** Who consents. */
export const USER = 'user-4711'

/** A server whose old refresh token works until its successor is used, on a free port. */
export interface WorkersServer {
  readonly origin: string
  readonly client: { readonly id: string; readonly secret: string }
  /** Every refresh token that it was sent by the broker, and every one that it issued, in order. */
  readonly presented: readonly string[]
  readonly issued: readonly string[]
  /** Keeps the next answer of the token endpoint back, after the server has acted. */
  keepNextAnswer(): KeptAnswer
  /** Presents a refresh token as the client would, behind the broker's back. */
  tryRefreshToken(refreshToken: string): Promise<{ status: number; error: unknown; refreshToken: string }>
  /** How many grants it holds. */
  countGrants(): Promise<number>
}

/** Starts `@cloudflare/workers-oauth-provider`. It closes when the test ends. */
export async function startWorkersServer(options: {
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly accessTokenSeconds: number
}): Promise<WorkersServer> {
  const http = createServer().listen(0, HOST)
  await new Promise(resolve => http.once('listening', resolve))
  onTestFinished(() => void http.close().closeAllConnections())
  const origin = `http://${HOST}:${(http.address() as AddressInfo).port}`
  const { fetch: answer, client, env } = await createAuthorizationServer(origin, options)
  const presented: string[] = []
  const issued: string[] = []
  const keeper = createAnswerKeeper()

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const read = await toRequest(origin, request)
    const form = new URLSearchParams(await read.clone().text())
    const refreshToken = form.get('refresh_token')
    const answered = await answer(read)
    const text = await answered.text()
    // A revocation goes to the same endpoint.
    if (form.has('grant_type')) {
      if (refreshToken !== null) presented.push(refreshToken)
      if (answered.ok) issued.push(String(JSON.parse(text).refresh_token))
      if (!(await keeper.pass())) return void response.destroy()
    }
    response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(text)
  }
  http.on('request', (request, response) => void serve(request, response))
  return {
    origin,
    client,
    presented,
    issued,
    keepNextAnswer: keeper.keepNext,
    async tryRefreshToken(refreshToken) {
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
      const authorization = `Basic ${btoa(`${client.id}:${client.secret}`)}`
      const tried = await answer(
        new Request(`${origin}/oauth/token`, { method: 'POST', headers: { authorization }, body }),
      )
      const { error, refresh_token } = (await tried.json()) as Record<string, unknown>
      return { status: tried.status, error, refreshToken: String(refresh_token) }
    },
    countGrants: async () => (await env.OAUTH_KV.list({ prefix: 'grant:' })).keys.length,
  }
}

type Options = Parameters<typeof startWorkersServer>[0]

async function createAuthorizationServer(
  origin: string,
  { redirectUri, scopes, accessTokenSeconds }: Options,
) {
  const { OAuthAuthorizationServer } = await importWorkersOAuthProvider()
  const resource = `${origin}/api`
  const env = { OAUTH_KV: createKeyValue() }
  const server = new OAuthAuthorizationServer({
    issuer: origin,
    resources: [resource],
    scopesSupported: [...scopes],
    accessTokenTTL: accessTokenSeconds,
    // Refusals are asserted; the default prints them.
    onError: () => undefined,
  })
  const api = server.getOAuthApi(env)
  const { clientId: id, clientSecret: secret = '' } = await api.createClient({
    redirectUris: [redirectUri],
    tokenEndpointAuthMethod: 'client_secret_basic',
  })

  /** The pages that such a server leaves to its application: a user who allows everything, and an API. */
  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/authorize') {
      const asked = await api.parseAuthRequest(request)
      const grant = { request: asked, userId: USER, metadata: {}, scope: asked.scope, props: {} }
      const { redirectTo } = await api.completeAuthorization(grant)
      return new Response(null, { status: 302, headers: { location: redirectTo } })
    }
    if (pathname === '/api') {
      const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? ''
      const found = await server.validateToken(resource, token, env)
      return found === null ? new Response('{}', { status: 401 }) : Response.json({ sub: USER, name: 'Ada' })
    }
    return server.fetch(request, env, CONTEXT)
  }
  return { fetch: answer, client: { id, secret }, env }
}

/** What a worker runs in; the server leaves nothing for later. */
const CONTEXT = {
  waitUntil() {},
  passThroughOnException() {},
  props: {},
}

async function toRequest(origin: string, request: IncomingMessage): Promise<Request> {
  const { method = 'GET', url = '/' } = request
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ])
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = method === 'POST' ? Buffer.concat(chunks) : undefined
  return new Request(new URL(url, origin), { method, headers, body })
}
