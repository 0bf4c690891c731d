import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An authorization server as a browser meets it. */
export interface FakeProvider {
  readonly port: number
  /** What the provider was asked, in order, and where the browser said that it came from. */
  readonly requests: { readonly target: string; readonly referer?: string }[]
  /** Where its button leads. */
  callback: string
  close(): Promise<void>
}

/**
 * Starts a provider whose `/authorize` redirects to a login page on a second origin, as several do.
 * `/silent` answers nothing that a browser would show, so that the page before stays.
 */
export async function startFakeProvider(loginOrigin: string): Promise<FakeProvider> {
  const server = createServer((request, response) => {
    const target = request.url ?? ''
    if (target === '/favicon.ico') return response.writeHead(404).end()
    provider.requests.push({ target, referer: request.headers.referer })
    if (target.startsWith('/silent')) return response.writeHead(204).end()
    if (target.startsWith('/authorize'))
      return response.writeHead(302, { location: `${loginOrigin}/login` }).end()
    if (target === '/allow') return response.writeHead(302, { location: provider.callback }).end()
    response.writeHead(200, { 'content-type': 'text/html' })
    return response.end(
      '<title>Sign in</title><form action="/allow" method="post"><button>Allow</button></form>',
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const provider: FakeProvider = {
    port: (server.address() as AddressInfo).port,
    requests: [],
    callback: '',
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return provider
}
