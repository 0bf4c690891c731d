import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A service that lets its users connect accounts, as far as a browser meets it. */
export interface Portal {
  /** What `return_urls` names. */
  readonly returnUrl: string
  /** Who came back, in order. */
  readonly visits: { readonly url: URL; readonly headers: IncomingHttpHeaders }[]
}

/**
 * Starts the service on a site of its own; it ends with the test.
 *
 * @param confirm what it does about a browser that came back; the answer is the page's heading
 */
export async function startPortal(confirm: (url: URL) => Promise<string>): Promise<Portal> {
  const visits: Portal['visits'] = []
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', returnUrl())
    if (url.pathname !== '/connected') return response.writeHead(404).end()
    visits.push({ url, headers: request.headers })
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    return response.end(`<title>Portal</title><h1>${await confirm(url)}</h1>`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  /** To a browser another site than the broker, which is `localhost`. */
  function returnUrl(): string {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/connected`
  }
  return { returnUrl: returnUrl(), visits }
}
