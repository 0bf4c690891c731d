import { HttpError } from '../../src/egress/http.ts'
import { createFakeHttp, type WireAnswer, type WireRequest } from '../oauth/fake-http.ts'

/** An authorization server whose refresh tokens are used once and whose next answer can be scripted. */
export interface ScriptedServer {
  readonly http: ReturnType<typeof createFakeHttp>
  /** What the next requests to the token endpoint get instead of an answer of the server's own. */
  readonly script: (WireAnswer | Error | Promise<void>)[]
  /** The refresh token that is good now. */
  current(): string
  readonly revoked: string[]
  lifetime: number
  scope: string
  account: string
}

/** Creates a server that has issued `rt-0`. */
export function createScriptedServer(): ScriptedServer {
  let issued = 0
  const server: ScriptedServer = {
    http: createFakeHttp(answer),
    script: [],
    revoked: [],
    current: () => `rt-${issued}`,
    lifetime: 3600,
    scope: 'a b',
    account: 'account-1',
  }

  async function answer(request: WireRequest): Promise<WireAnswer | Error> {
    const form = new URLSearchParams(request.body)
    if (request.url.endsWith('/revoke')) {
      const scripted = server.script.shift()
      if (scripted instanceof Promise) await scripted
      else if (scripted !== undefined) return scripted
      server.revoked.push(form.get('token') ?? '')
      return { status: 200 }
    }
    const scripted = server.script.shift()
    if (scripted instanceof Promise) await scripted
    else if (scripted !== undefined) return scripted
    const grantType = form.get('grant_type')
    if (grantType === 'refresh_token' && form.get('refresh_token') !== server.current()) {
      return { status: 400, body: { error: 'invalid_grant' } }
    }
    issued++
    const { lifetime, scope, account } = server
    const refresh = grantType === 'client_credentials' ? {} : { refresh_token: server.current() }
    const token = { access_token: `at-${issued}`, expires_in: lifetime, token_type: 'bearer', scope, account }
    return { status: 200, body: { ...token, ...refresh } }
  }
  return server
}

/** The answers that a test scripts. */
export const answers = {
  down: { status: 503 },
  refused: { status: 400, body: { error: 'invalid_grant' } },
  wrongClient: { status: 401, body: { error: 'invalid_client' } },
  wrongScope: { status: 400, body: { error: 'invalid_scope' } },
  lost: new HttpError('no_answer', 'as.example did not answer completely (ECONNRESET)'),
} as const
