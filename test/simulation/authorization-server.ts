/** How an authorization server treats a refresh token that was used. */
export interface Habits {
  readonly replay: 'same' | 'window' | 'single_use' | 'single_use_family'
  /** For `window`: how long a used refresh token works. */
  readonly windowMs: number
  /** For `window`: whether the window ends early when the successor is used. */
  readonly endsWithSuccessor: boolean
  /** For `window`: whether a repeat gets the same successor, or a new one that kills the former. */
  readonly successor: 'same' | 'new'
  /** Seconds that access tokens live. */
  readonly lifetime: number
  /** Whether revoking a refresh token that was used before ends its grant, too. */
  readonly revokesByUsedToken: boolean
}

/** One use of a refresh token, as the server saw it. */
export interface Presentation {
  readonly order: number
  readonly refreshToken: string
  /** Who sent it: the number of the request. */
  readonly request: number
  /** The refresh token that is good from then on; absent if it was refused. */
  readonly successor?: string
  /** What became of the answer: on its way, read by a living process, or nobody's any more. */
  answer: 'on_its_way' | 'read' | 'lost'
}

export interface Grant {
  readonly id: number
  readonly account: string
  alive: boolean
  readonly presentations: Presentation[]
}

/** What the token endpoint gives out. */
export interface Issued {
  readonly accessToken: string
  /** Absent where the old one stays good. */
  readonly refreshToken?: string
}

interface RefreshToken {
  readonly grant: Grant
  usedAt?: number
  successor?: string
  superseded: boolean
}

/**
 * An authorization server that keeps the truth: which tokens it would accept, and who presented what. Times are the
 * simulation's.
 */
export interface AuthorizationServer {
  readonly habits: Habits
  /** A new consent. */
  grant(account: string, now: number): Required<Issued>
  /** Uses a refresh token; `undefined` = `invalid_grant`. */
  present(
    refreshToken: string,
    request: number,
    now: number,
  ): { issued?: Issued; presentation?: Presentation }
  /** Whether that refresh token would be taken now. */
  accepts(refreshToken: string, now: number): boolean
  /** The refresh tokens of a grant that would be taken now, delivered or not. */
  living(grant: Grant, now: number): string[]
  /** Whether that access token works now. */
  honours(accessToken: string, now: number): boolean
  revoke(token: string): void
  grantOf(token: string): Grant | undefined
  /** All that decides how it will answer. */
  state(): unknown
  endOf(accessToken: string): number | undefined
}

/** Marks every token, so that one that turns up in a log or an error is seen. */
export const CANARY = 'canary'

/** Creates a server that has granted nothing yet. */
export function createAuthorizationServer(habits: Habits): AuthorizationServer {
  const refreshTokens = new Map<string, RefreshToken>()
  const accessTokens = new Map<string, { readonly grant: Grant; readonly until: number }>()
  let count = 0

  function newRefreshToken(grant: Grant): string {
    const value = `${CANARY}-rt-${grant.id}-${++count}`
    refreshTokens.set(value, { grant, superseded: false })
    return value
  }

  function newAccessToken(grant: Grant, now: number): string {
    const value = `${CANARY}-at-${grant.id}-${++count}`
    accessTokens.set(value, { grant, until: now + habits.lifetime * 1_000 })
    return value
  }

  function accepts(value: string, now: number): boolean {
    const token = refreshTokens.get(value)
    if (token === undefined || !token.grant.alive || token.superseded) return false
    if (token.usedAt === undefined || habits.replay === 'same') return true
    if (habits.replay !== 'window' || now - token.usedAt > habits.windowMs) return false
    const successor = refreshTokens.get(token.successor ?? '')
    return !(habits.endsWithSuccessor && successor?.usedAt !== undefined)
  }

  function succeed(token: RefreshToken, now: number): string | undefined {
    token.usedAt ??= now
    if (habits.replay === 'same') return undefined
    const former = refreshTokens.get(token.successor ?? '')
    if (former !== undefined && habits.successor === 'same') return token.successor
    if (former !== undefined) former.superseded = true
    token.successor = newRefreshToken(token.grant)
    return token.successor
  }

  return {
    habits,
    accepts,
    grant(account, now) {
      const grant: Grant = { id: ++count, account, alive: true, presentations: [] }
      return { accessToken: newAccessToken(grant, now), refreshToken: newRefreshToken(grant) }
    },
    present(value, request, now) {
      const token = refreshTokens.get(value)
      if (token === undefined) return {}
      const { grant } = token
      const accepted = accepts(value, now)
      const base = { order: ++count, refreshToken: value, request, answer: 'on_its_way' } as const
      if (!accepted) {
        if (habits.replay === 'single_use_family' && token.usedAt !== undefined) grant.alive = false
        const presentation: Presentation = { ...base }
        grant.presentations.push(presentation)
        return { presentation }
      }
      const successor = succeed(token, now)
      const presentation: Presentation = { ...base, successor: successor ?? value }
      grant.presentations.push(presentation)
      return { issued: { accessToken: newAccessToken(grant, now), refreshToken: successor }, presentation }
    },
    living: (grant, now) =>
      [...refreshTokens.keys()].filter(
        value => refreshTokens.get(value)?.grant === grant && accepts(value, now),
      ),
    honours(value, now) {
      const token = accessTokens.get(value)
      return token?.grant.alive === true && now < token.until
    },
    revoke(value) {
      const token = refreshTokens.get(value)
      const isGood = token !== undefined && !token.superseded && token.usedAt === undefined
      const counts = isGood || habits.revokesByUsedToken || habits.replay === 'same'
      if (token !== undefined && counts) token.grant.alive = false
    },
    state: () => [...refreshTokens].map(([value, { grant, ...token }]) => [value, token, grant.alive]),
    grantOf: value => refreshTokens.get(value)?.grant ?? accessTokens.get(value)?.grant,
    endOf: value => accessTokens.get(value)?.until,
  }
}
