import type { HttpOptions } from '../egress/http.ts'
import { isLoopback } from '../loopback.ts'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'

/**
 * How the server of a provider is connected to. Where its metadata or a variable leads is reachable only if it is on
 * the public internet or in `allow_networks`; an origin on this machine only if the configuration itself names it.
 *
 * @param written the definition before discovery, `endpoints_base` applied
 */
export function connectionOptions({ ca, allowNetworks = [] }: Provider, written: Definition): HttpOptions {
  const urls = [written.issuer, ...Object.values(written.operations).map(operation => operation?.url)]
  const origins = urls.map(url => loopbackOrigin(url)).filter(origin => origin !== undefined)
  return { ca, reach: { networks: allowNetworks, loopbackOrigins: [...new Set(origins)] } }
}

/** Undefined unless the URL names this machine literally; a placeholder in its host names nothing. */
function loopbackOrigin(url: string | undefined): string | undefined {
  const parsed = url === undefined ? null : URL.parse(url)
  return parsed !== null && isLoopback(parsed.hostname) ? parsed.origin : undefined
}
