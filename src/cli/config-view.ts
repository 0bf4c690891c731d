import type { Config, GrpcListener, Listener, RootKeySource } from '../config/config.ts'
import { hasConsent, type Provider } from '../providers/provider.ts'
import { callerLines, callerToJson } from './caller-view.ts'
import { fields, type Style, table } from './output.ts'

/** Shows a configuration to a person: what would listen, for which providers, for whom. No secret is in it. */
export function configLines(config: Config, now: number, style: Style): string[] {
  return [
    ...fields([
      ['gRPC', config.listen.grpc.map(listenerLabel).join(', ')],
      ['Consent', `${listenerLabel(config.listen.http)}, reached as ${config.publicUrl}`],
      ['Admin', listenerLabel(config.listen.admin)],
      ['Data', `${config.dataDir} (${config.store})`],
      ['Root key', rootKeyLabel(config.rootKey)],
    ]),
    '',
    ...providerLines([...config.providers.values()], style),
    '',
    ...callerLines(config, now, style),
  ]
}

/** The same for programs. */
export function configToJson(config: Config): object {
  return {
    listen: {
      grpc: config.listen.grpc.map(listenerToJson),
      http: listenerToJson(config.listen.http),
      admin: listenerToJson(config.listen.admin),
    },
    publicUrl: config.publicUrl,
    dataDir: config.dataDir,
    store: config.store,
    rootKey: rootKeyLabel(config.rootKey),
    providers: [...config.providers.values()].map(providerToJson),
    operatorToken: config.operatorToken,
    callers: config.callers.map(callerToJson),
  }
}

function providerToJson(provider: Provider): object {
  return {
    provider: provider.id,
    definition: provider.definition.id,
    environment: provider.environment,
    scopes: provider.scopes,
    redirectUri: hasConsent(provider) ? provider.redirectUri : '',
    hasStaticToken: provider.staticAccessToken !== undefined,
    endpointsBase: provider.endpointsBase,
  }
}

function providerLines(providers: readonly Provider[], style: Style): string[] {
  if (providers.length === 0) {
    return [
      style('warning', 'No provider is configured: add one under providers:, or set PINTEREST_ACCESS_TOKEN.'),
    ]
  }
  const headings = ['PROVIDER', 'DEFINITION', 'ENVIRONMENT', 'TOKENS FROM', 'REDIRECT URI TO REGISTER']
  const rows = providers.map(provider => [
    provider.id,
    provider.definition.id,
    provider.environment,
    tokenSources(provider),
    hasConsent(provider) ? provider.redirectUri : '-',
  ])
  return table(
    headings.map(heading => style('heading', heading)),
    rows,
  )
}

function tokenSources(provider: Provider): string {
  const sources: string[] = []
  if (hasConsent(provider)) sources.push('consent')
  else if (provider.clientId !== undefined) sources.push('client credentials')
  if (provider.staticAccessToken !== undefined) sources.push('static token')
  return sources.join(', ')
}

function listenerToJson(listener: GrpcListener): object {
  if ('socket' in listener) return listener
  const { host, port, tls } = listener
  return { host, port, tls: tlsLabel(tls) }
}

function listenerLabel(listener: GrpcListener): string {
  if ('socket' in listener) return `unix:${listener.socket}`
  const { host, port, tls } = listener
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return tls === undefined ? address : `${address} (TLS: ${tlsLabel(tls)})`
}

function tlsLabel(tls: Listener['tls']): string {
  if (tls === undefined) return 'off'
  if (tls === 'proxy') return 'ended by a proxy'
  return tls.clientCa === undefined ? 'own certificate' : 'own certificate, client certificates'
}

function rootKeyLabel(source: RootKeySource): string {
  if (source.kind === 'value') return source.origin
  return source.createIfMissing ? `${source.path} (made at the first start)` : source.path
}
