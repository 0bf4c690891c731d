/** More hops than any consent makes; beyond that something goes in circles. */
const HOPS_MAX = 10

/**
 * Walks a consent link as a browser does: looks at the page, presses its button, leaves for the provider,
 * which allows at once, and comes back.
 *
 * @returns the text of the result page
 */
export async function walkConsent(link: string): Promise<string> {
  const page = await fetch(link)
  await page.text()
  const departure = await fetch(link, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: new URL(link).origin, 'sec-fetch-site': 'same-origin' },
  })
  const cookie = departure.headers.getSetCookie().map(value => value.split(';')[0] ?? '')
  const target = /<a[^>]+href="([^"]+)"/.exec(await departure.text())?.[1]
  if (target === undefined) throw new Error(`the consent page answered ${departure.status} and no way on`)
  return follow(unescapeHtml(target), cookie.join('; '), new URL(link).origin)
}

/** The cookie goes back to the broker alone. */
async function follow(start: string, cookie: string, broker: string): Promise<string> {
  let url = start
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    const headers: Record<string, string> = new URL(url).origin === broker ? { cookie } : {}
    const answer = await fetch(url, { redirect: 'manual', headers })
    const text = await answer.text()
    const next = answer.headers.get('location')
    if (next === null) return text
    url = new URL(next, url).href
  }
  throw new Error('consent goes in circles')
}

function unescapeHtml(html: string): string {
  return html.replaceAll('&amp;', '&').replaceAll('&#38;', '&')
}
