import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a POST comes from a page of ours, so that no other site can start a consent in a visitor's browser.
 *
 * - `Origin`, where it names an origin, must name ours. That also catches a page opened under another name of
 *   this machine, whose cookie would not come back with the callback.
 * - `Sec-Fetch-Site`, which scripts cannot forge, must say `same-origin` where it is sent.
 * - `Origin: null` is what sandboxed frames send, and believed only beside such a `Sec-Fetch-Site`.
 * - With neither header the sender is no browser of this decade (curl, a test); nobody else steers it, so it may.
 *
 * @see https://fetch.spec.whatwg.org/#origin-header https://w3c.github.io/webappsec-fetch-metadata/
 */
export function isSameOrigin(headers: IncomingHttpHeaders, publicOrigin: string): boolean {
  const site = headers['sec-fetch-site']
  const { origin } = headers
  if (site !== undefined && site !== 'same-origin') return false
  if (origin === undefined) return true
  return origin === 'null' ? site !== undefined : origin === publicOrigin
}
