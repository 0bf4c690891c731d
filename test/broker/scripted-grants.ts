/** What becomes of a refresh token that was used; as in a definition. */
export type Replay = 'same' | 'window' | 'single_use' | 'single_use_family'

interface Habits {
  readonly replay: Replay
  readonly windowMs: number
}

interface Grant {
  alive: boolean
  /** The refresh token that is good. */
  refreshToken: string
  /** The one before it, while its window is open. */
  former?: { readonly refreshToken: string; readonly usedAt: number }
}

/** Tokens of one answer. */
export interface Issued {
  readonly accessToken: string
  readonly refreshToken: string
}

/** The grants of a scripted server: which tokens it issued, and which are good. */
export interface Grants {
  now(): number
  /** A new consent. */
  open(): Issued
  /** Uses a refresh token; `undefined` = refused. */
  use(refreshToken: string, habits: Habits): Issued | undefined
  accepts(refreshToken: string, habits: Habits): boolean
  honours(accessToken: string): boolean
  /** The refresh token that was issued last. */
  current(): string
  /** Ends the grant of a token. */
  end(token: string): void
  endAll(): void
}

/** Creates a server's memory with one grant, whose refresh token is `rt-0`. */
export function createGrants(now: () => number): Grants {
  const first: Grant = { alive: true, refreshToken: 'rt-0' }
  const byToken = new Map<string, Grant>([['rt-0', first]])
  let last = first
  let issued = 0

  function issue(grant: Grant, rotates: boolean): Issued {
    issued++
    if (rotates) grant.refreshToken = `rt-${issued}`
    byToken.set(grant.refreshToken, grant)
    byToken.set(`at-${issued}`, grant)
    last = grant
    return { accessToken: `at-${issued}`, refreshToken: grant.refreshToken }
  }

  function accepts(token: string, { replay, windowMs }: Habits): boolean {
    const grant = byToken.get(token)
    if (!grant?.alive) return false
    if (grant.refreshToken === token) return true
    const { former } = grant
    return replay === 'window' && former?.refreshToken === token && now() - former.usedAt <= windowMs
  }

  return {
    now,
    accepts,
    open: () => issue({ alive: true, refreshToken: '' }, true),
    use(token, habits) {
      const grant = byToken.get(token)
      if (grant === undefined) return undefined
      if (!accepts(token, habits)) {
        if (habits.replay === 'single_use_family') grant.alive = false
        return undefined
      }
      if (habits.replay === 'same') return issue(grant, false)
      // A repeat within the window replaces the successor, and prolongs nothing.
      if (grant.refreshToken === token) grant.former = { refreshToken: token, usedAt: now() }
      return issue(grant, true)
    },
    honours: token => byToken.get(token)?.alive === true,
    current: () => last.refreshToken,
    end(token) {
      const grant = byToken.get(token)
      if (grant !== undefined) grant.alive = false
    },
    endAll() {
      for (const grant of byToken.values()) grant.alive = false
    },
  }
}
