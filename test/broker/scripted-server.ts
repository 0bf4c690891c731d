import { HttpError } from '../../src/egress/http.ts'
import { createFakeHttp, type WireAnswer, type WireRequest } from '../oauth/fake-http.ts'
import { createGrants, type Grants, type Issued, type Replay } from './scripted-grants.ts'

/**
 * What a request to the token endpoint gets instead of the server's own answer: an answer or no answer, while the
 * server does nothing; the server's own answer, but later; or what is made of it once the server has acted.
 */
export type Turn = WireAnswer | Error | Promise<void> | ((act: () => WireAnswer) => Reply | Promise<Reply>)
type Reply = WireAnswer | Error

/** An authorization server whose refresh tokens are used once and whose next answer can be scripted. */
export interface ScriptedServer {
  readonly http: ReturnType<typeof createFakeHttp>
  /** What the next requests to the token endpoint get. */
  readonly script: Turn[]
  /** What they get while nothing is scripted. Default: the server's own answer. */
  always?: Turn
  /** What becomes of a refresh token that was used. Default: `single_use`. */
  replay: Replay
  /** For `window`: how long a used refresh token is taken again, if its successor was not used. */
  windowMs: number
  /** The client secrets that are taken. Default: any. */
  secrets?: readonly string[]
  /** The refresh token that was issued last. */
  current(): string
  /** Grants somebody tokens without a request. */
  issue(): Issued
  /** Whether that refresh token would be taken now. */
  accepts(refreshToken: string): boolean
  /** Whether that access token works, if it has not expired. */
  honours(accessToken: string): boolean
  /** The user ends every grant at the provider, or the one to which a token belongs. */
  endGrants(token?: string): void
  readonly revoked: string[]
  /** Requests to the token endpoint that are being answered, and how many there ever were at once. */
  readonly inFlight: { now: number; max: number }
  lifetime: number
  scope: string
  account: string
}

/** Creates a server that has issued `rt-0`. */
export function createScriptedServer(now: () => number = Date.now): ScriptedServer {
  const grants = createGrants(now)
  const server: ScriptedServer = {
    http: createFakeHttp(request => answer(server, grants, request)),
    script: [],
    revoked: [],
    replay: 'single_use',
    windowMs: 30_000,
    inFlight: { now: 0, max: 0 },
    current: grants.current,
    issue: grants.open,
    accepts: token => grants.accepts(token, server),
    honours: grants.honours,
    endGrants: token => (token === undefined ? grants.endAll() : grants.end(token)),
    lifetime: 3600,
    scope: 'a b',
    account: 'account-1',
  }
  return server
}

async function answer(server: ScriptedServer, grants: Grants, request: WireRequest): Promise<Reply> {
  if (request.url.endsWith('/status')) {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    return grants.honours(token) ? { status: 200, body: {} } : notAuthorized
  }
  const { inFlight } = server
  inFlight.now++
  inFlight.max = Math.max(inFlight.max, inFlight.now)
  try {
    const isRevocation = request.url.endsWith('/revoke')
    const act = () => (isRevocation ? revoke(server, grants, request) : grant(server, grants, request))
    const turn = server.script.shift() ?? (isRevocation ? undefined : server.always)
    if (typeof turn === 'function') return await turn(act)
    if (turn instanceof Promise) await turn
    else if (turn !== undefined) return turn
    return act()
  } finally {
    inFlight.now--
  }
}

function revoke(server: ScriptedServer, grants: Grants, request: WireRequest): WireAnswer {
  const form = formOf(request)
  const token = form.token ?? form.access_token ?? ''
  server.revoked.push(token)
  grants.end(token)
  return { status: 200 }
}

function grant(server: ScriptedServer, grants: Grants, request: WireRequest): WireAnswer {
  const form = formOf(request)
  if (!takesClient(server, request, form)) return isSquare(request) ? notAuthorized : answers.wrongClient
  const isRefresh = form.grant_type === 'refresh_token'
  const issued = isRefresh ? grants.use(form.refresh_token ?? '', server) : grants.open()
  if (issued === undefined) return isSquare(request) ? notAuthorized : answers.refused
  const { lifetime, scope, account } = server
  const refresh = form.grant_type === 'client_credentials' ? {} : { refresh_token: issued.refreshToken }
  const square = { expires_at: new Date(grants.now() + lifetime * 1_000).toISOString(), merchant_id: account }
  const times = isSquare(request) ? square : { expires_in: lifetime }
  const token = { access_token: issued.accessToken, ...times, token_type: 'bearer', scope, account }
  return { status: 200, body: { ...token, ...refresh } }
}

function takesClient({ secrets }: ScriptedServer, { headers }: WireRequest, form: Form): boolean {
  const basic = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
  return secrets === undefined || secrets.includes(form.client_secret ?? basic.split(':')[1] ?? '')
}

type Form = Readonly<Record<string, string | undefined>>

function formOf({ body }: WireRequest): Form {
  return body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body))
}

function isSquare({ url }: WireRequest): boolean {
  return new URL(url).hostname.includes('squareup')
}

/** What Square says to a wrong client secret and to a dead grant alike. */
const notAuthorized: WireAnswer = {
  status: 401,
  body: { type: 'service.not_authorized', message: 'Not Authorized', errors: [{ code: 'UNAUTHORIZED' }] },
}

/** What a test scripts: the server does not act. */
export const answers = {
  down: { status: 503 },
  refused: { status: 400, body: { error: 'invalid_grant' } },
  wrongClient: { status: 401, body: { error: 'invalid_client' } },
  wrongScope: { status: 400, body: { error: 'invalid_scope' } },
  limited: { status: 429, headers: { 'retry-after': '1' } },
  lost: new HttpError('no_answer', 'as.example did not answer completely (ECONNRESET)'),
  unreachable: new HttpError('not_sent', 'as.example cannot be reached (ECONNREFUSED)'),
} as const

/** What a test scripts: the server acts, and its answer does not come as it should. */
export const acted = {
  /** The answer is dropped. */
  lost: (act: () => WireAnswer): Reply => {
    act()
    return answers.lost
  },
  /** A gateway answers in its place. */
  badGateway: (act: () => WireAnswer): Reply => {
    act()
    return { status: 502, body: '<html>' }
  },
  /** The access token is missing from it. */
  withoutAccessToken: (act: () => WireAnswer): Reply => {
    const { status, body } = act()
    return { status, body: { ...(body as object), access_token: undefined } }
  },
  /** It comes when the gate opens. */
  late:
    (gate: Promise<void>) =>
    async (act: () => WireAnswer): Promise<Reply> => {
      const reply = act()
      await gate
      return reply
    },
} as const
