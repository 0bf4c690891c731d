import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { onTestFinished } from 'vitest'
import { HOST } from './broker-process.ts'

export const CLIENT = { id: 'broker', secret: 'the-right-client-secret' }
/** Who consents. */
export const USER = 'user-4711'

/** One answered request to the token endpoint. */
interface TokenRequest {
  readonly grantType: unknown
  readonly status: number
  /** Absent where none was sent. */
  readonly presented: string | undefined
  /** Absent where none was answered. */
  readonly issued: string | undefined
}

/** A certified authorization server that this project did not write, on a free port. */
export interface OidcServer {
  readonly issuer: string
  readonly tokenRequests: TokenRequest[]
  /** What the user answers. */
  decision: 'allow' | 'deny'
  /** Lets token requests wait until the returned function is called. */
  holdTokens(): () => void
  /** Presents a refresh token as the client would; answers the HTTP status and the error. */
  tryRefreshToken(refreshToken: string): Promise<{ status: number; error: unknown }>
}

/** @param accessTokenSeconds how long access tokens live */
export async function startOidcServer(options: {
  readonly redirectUri: string
  readonly rotates: boolean
  readonly accessTokenSeconds: number
}): Promise<OidcServer> {
  const server = createServer().listen(0, HOST)
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  const issuer = `http://${HOST}:${(server.address() as AddressInfo).port}`
  const provider = createProvider(issuer, options)

  const tokenRequests: TokenRequest[] = []
  let held = Promise.resolve()
  provider.use(async (context, next) => {
    if (context.path !== '/token') return next()
    await held
    await next()
    const { grant_type: grantType, refresh_token: presented } = context.oidc?.params ?? {}
    const { refresh_token: issued } = (context.body ?? {}) as { refresh_token?: string }
    tokenRequests.push({
      grantType,
      status: context.status,
      presented: typeof presented === 'string' ? presented : undefined,
      issued,
    })
  })
  const oidc: OidcServer = {
    issuer,
    tokenRequests,
    decision: 'allow',
    holdTokens() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    tryRefreshToken: refreshToken => tryRefreshToken(issuer, refreshToken),
  }
  const serve = provider.callback()
  server.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/')) void decide(provider, oidc.decision, request, response)
    else serve(request, response)
  })
  return oidc
}

type Options = Parameters<typeof startOidcServer>[0]

function createProvider(issuer: string, { redirectUri, rotates, accessTokenSeconds }: Options): Provider {
  return new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    scopes: ['openid', 'offline_access', 'reports'],
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: 'Ada Example' }),
    }),
    claims: { openid: ['sub', 'name'] },
    rotateRefreshToken: rotates,
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 60,
      Interaction: 60,
      RefreshToken: 3600,
      Session: 60,
    },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    jwks: {
      keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })],
    },
  })
}

/** Signs the user in, and allows everything or nothing. */
async function decide(
  provider: Provider,
  decision: OidcServer['decision'],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const finish = (result: object) => provider.interactionFinished(request, response, { ...result })
  if (prompt.name === 'login') return finish({ login: { accountId: USER } })
  if (decision === 'deny') return finish({ error: 'access_denied', error_description: 'the user said no' })
  const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: params.client_id })
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '))
  return finish({ consent: { grantId: await grant.save() } })
}

async function tryRefreshToken(issuer: string, refreshToken: string) {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${CLIENT.id}:${CLIENT.secret}`)}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
  })
  const { error } = (await answer.json()) as { error?: unknown }
  return { status: answer.status, error }
}
