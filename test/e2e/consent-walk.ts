import { notePage } from '../canaries.ts'

/** More hops than any consent makes; beyond that something goes in circles. */
const HOPS_MAX = 20

/** What a visitor without a screen has seen on the way from a consent link to its end. */
export interface Walk {
  /** The last page. */
  readonly result: string
  readonly status: number
  /** Every URL that was asked for, in order. */
  readonly urls: readonly URL[]
  /** Every value that any server wanted kept as a cookie. */
  readonly cookieValues: readonly string[]
}

/** A request that the page or the redirect before it has led to. */
interface Hop {
  readonly method: 'GET' | 'POST'
  readonly url: URL
}

/**
 * Walks a consent link as a browser does, with cookies: sends the broker's form, leaves for the provider, which
 * decides by itself, and comes back.
 *
 * @param alter changes where the next hop goes, as an attacker would; default: nothing
 */
export async function walkConsent(link: string, alter: (url: URL) => void = () => {}): Promise<Walk> {
  const jar = createJar()
  const urls: URL[] = []
  let next: Hop = { method: 'GET', url: new URL(link) }
  for (let hops = 0; hops < HOPS_MAX; hops++) {
    const { method, url } = next
    alter(url)
    urls.push(url)
    const answer = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { cookie: jar.read(url), ...(method === 'POST' && { origin: url.origin }) },
    })
    jar.store(url, answer.headers.getSetCookie())
    const text = await answer.text()
    // The provider's pages are its own.
    if (url.origin === new URL(link).origin) notePage(Object.fromEntries(answer.headers), text)
    const onward = wayOn(next, answer, text)
    if (onward === undefined) return { result: text, status: answer.status, urls, cookieValues: jar.values }
    next = onward
  }
  throw new Error('consent goes in circles')
}

/** @returns undefined where the walk has ended */
function wayOn({ url }: Hop, { headers }: Response, text: string): Hop | undefined {
  const location = headers.get('location')
  if (location !== null) return { method: 'GET', url: new URL(location, url) }
  const departure = /<meta http-equiv="refresh" content="0; url=([^"]+)"/.exec(text)?.[1]
  if (departure !== undefined) return { method: 'GET', url: new URL(departure.replaceAll('&amp;', '&')) }
  return text.includes('<form method="post">') ? { method: 'POST', url } : undefined
}

/** The cookies of one browser, each for its own origin. */
export function createJar() {
  const kept = new Map<string, string>()
  const values: string[] = []
  return {
    values,
    read(url: URL): string {
      const own = [...kept].filter(([key]) => key.startsWith(`${url.origin} `))
      return own.map(([key, value]) => `${key.slice(url.origin.length + 1)}=${value}`).join('; ')
    },
    store(url: URL, cookies: readonly string[]) {
      for (const cookie of cookies) {
        const [, name, value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        if (value === '') kept.delete(`${url.origin} ${name}`)
        else kept.set(`${url.origin} ${name}`, value)
        if (value !== '') values.push(value)
      }
    },
  }
}
