import { expect } from 'vitest'
import { notePage } from '../canaries.ts'
import { createJar } from './consent-walk.ts'

/** What every answer of the broker carries, whatever it is. */
const ALWAYS: Readonly<Record<string, unknown>> = {
  'cache-control': 'no-store',
  'content-security-policy': expect.stringMatching(
    /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  ),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** One answer that a visitor got. */
export interface Seen {
  readonly url: URL
  readonly status: number
  readonly text: string
  /** Where the answer leads, if it is a redirect. */
  readonly location?: URL
}

/** What a visitor's request may differ in. */
export interface VisitOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the jar's own. */
  readonly withCookies?: boolean
}

/** One browser with a cookie jar of its own, which goes only where it is told. */
export interface Visitor {
  readonly seen: readonly Seen[]
  go(url: URL | string, options?: VisitOptions): Promise<Seen>
  /** Opens a link, sends its form, and answers where the browser leaves for. */
  leave(link: string): Promise<URL>
  /** Follows redirects at the provider, which decides by itself, and stops short of the way back. */
  approve(authorizationUrl: URL | string): Promise<URL>
}

/**
 * A visitor of one broker. It checks the constant headers of each of the broker's answers, that no page loads
 * anything from elsewhere, and that no answer redirects but to the given addresses.
 */
export function createVisitor(publicUrl: string, allowedReturns: readonly string[]): Visitor {
  const { origin } = new URL(publicUrl)
  const jar = createJar()
  const seen: Seen[] = []

  async function go(target: URL | string, options: VisitOptions = {}): Promise<Seen> {
    const url = new URL(target)
    const { method = 'GET', headers = {}, withCookies = true } = options
    const cookie = withCookies ? { cookie: jar.read(url) } : {}
    const answer = await fetch(url, { method, redirect: 'manual', headers: { ...cookie, ...headers } })
    if (withCookies) jar.store(url, answer.headers.getSetCookie())
    const text = await answer.text()
    const location = answer.headers.get('location')
    if (url.origin === origin) {
      checkBroker(answer, text, allowedReturns)
      notePage(Object.fromEntries(answer.headers), text)
    }
    const one = {
      url,
      status: answer.status,
      text,
      ...(location !== null && { location: new URL(location, url) }),
    }
    seen.push(one)
    return one
  }

  return {
    seen,
    go,
    async leave(link) {
      await go(link)
      const { text } = await go(link, { method: 'POST', headers: { origin } })
      const way = /<meta http-equiv="refresh" content="0; url=([^"]+)"/.exec(text)?.[1]
      if (way === undefined) throw new Error('the link leads nowhere')
      return new URL(way.replaceAll('&amp;', '&'))
    },
    async approve(authorizationUrl) {
      let next = new URL(authorizationUrl)
      while (next.origin !== origin) {
        const { location } = await go(next)
        if (location === undefined) throw new Error('the provider does not send the browser back')
        next = location
      }
      return next
    },
  }
}

function checkBroker(answer: Response, text: string, allowedReturns: readonly string[]): void {
  expect(Object.fromEntries(answer.headers)).toMatchObject(ALWAYS)
  // A referrer goes with what a page loads or links to: it loads nothing, and links to the provider alone.
  expect(text).not.toMatch(/<(?:script|img|iframe|link|object|embed|base)\b|url\(|@import/i)
  const location = answer.headers.get('location')
  if (location !== null) {
    const { origin, pathname } = new URL(location)
    expect(allowedReturns).toContain(`${origin}${pathname}`)
  }
}
