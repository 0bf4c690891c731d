/** Who asks for tokens, as it authenticated. */
export interface Client {
  readonly id: string
  readonly secret: string
}

/** What the server granted, in the words of RFC 6749. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  /** Seconds. */
  readonly expiresIn: number
  /** As the provider calls them. */
  readonly scopes: readonly string[]
  /** Whose they are. */
  readonly account: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
}

/** Tokens, or the `error` of RFC 6749 section 5.2 with which the server refused them. */
export type Outcome = { readonly tokens: Tokens } | { readonly refused: string }

/** The server behind a front, spoken to in plain OAuth 2.0. */
export interface Upstream {
  exchange(client: Client, code: string, redirectUri: string): Promise<Outcome>
  refresh(client: Client, refreshToken: string): Promise<Outcome>
  /**
   * Ends the grant of an access token. What comes with a wrong secret is `invalid_client`, a token that is not alive
   * `dead`.
   */
  revokeGrant(client: Client, accessToken: string): Promise<'revoked' | 'dead' | 'invalid_client'>
  /** What was granted with an access token, if the server still takes it. */
  inspect(accessToken: string): Promise<Tokens | undefined>
  /** Everything that was granted, in order. */
  readonly granted: readonly Tokens[]
  /** Every refresh token that came, in order, whatever the server made of it. */
  readonly presented: readonly string[]
  /** Every access token with which a grant was to be ended, in order, whatever came of it. */
  readonly revoked: readonly string[]
  /** The tokens that were granted last. */
  newest(): Tokens
}

/**
 * @param issuer     an oidc-provider, whose endpoints are where it puts them by default
 * @param scopeNames what the provider calls the scopes of that server; others are not spoken of
 */
export function createUpstream(issuer: string, scopeNames: Readonly<Record<string, string>>): Upstream {
  const granted: Tokens[] = []
  const presented: string[] = []
  const revoked: string[] = []

  async function token(client: Client, parameters: Record<string, string>): Promise<Outcome> {
    const answer = await post(`${issuer}/token`, client, parameters)
    const body = (await answer.json()) as Record<string, unknown>
    if (!answer.ok) return { refused: String(body.error) }
    const tokens: Tokens = {
      accessToken: String(body.access_token),
      refreshToken: String(body.refresh_token),
      expiresIn: Number(body.expires_in),
      scopes: String(body.scope)
        .split(' ')
        .flatMap(scope => scopeNames[scope] ?? []),
      account: (await whoIs(issuer, String(body.access_token))) ?? '',
      issuedAt: Date.now(),
    }
    granted.push(tokens)
    return { tokens }
  }

  /** Dialects that name the access token alone mean what came with it. */
  const inspect = async (accessToken: string) =>
    (await whoIs(issuer, accessToken)) === undefined
      ? undefined
      : granted.find(tokens => tokens.accessToken === accessToken)

  return {
    granted,
    presented,
    revoked,
    exchange: (client, code, redirectUri) =>
      token(client, { grant_type: 'authorization_code', code, redirect_uri: redirectUri }),
    refresh(client, refreshToken) {
      presented.push(refreshToken)
      return token(client, { grant_type: 'refresh_token', refresh_token: refreshToken })
    },
    async revokeGrant(client, accessToken) {
      revoked.push(accessToken)
      const tokens = await inspect(accessToken)
      if (tokens === undefined) return 'dead'
      // The server ends a grant with its refresh token alone.
      const answer = await post(`${issuer}/token/revocation`, client, { token: tokens.refreshToken })
      await answer.text()
      return answer.ok ? 'revoked' : 'invalid_client'
    },
    inspect,
    newest() {
      const last = granted.at(-1)
      if (last === undefined) throw new Error('nothing was granted yet')
      return last
    },
  }
}

function post(url: string, { id, secret }: Client, parameters: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}` },
    body: new URLSearchParams(parameters),
  })
}

async function whoIs(issuer: string, accessToken: string): Promise<string | undefined> {
  const answer = await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${accessToken}` } })
  const { sub } = (await answer.json()) as { sub?: unknown }
  return answer.ok ? String(sub) : undefined
}
