import type { AllowRule, CallerConfig, Config, Listener, RootKeySource } from '../config/config.ts'
import type { Provider } from '../providers/provider.ts'
import { fields, type Style, table } from './output.ts'
import { formatTime } from './time.ts'

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
    ...callerLines(config.callers, now, style),
  ]
}

/** The same for programs. */
export function configToJson(config: Config): object {
  const listener = ({ host, port, tls }: Listener) => ({ host, port, tls: tlsLabel(tls) })
  return {
    listen: {
      grpc: config.listen.grpc.map(listener),
      http: listener(config.listen.http),
      admin: listener(config.listen.admin),
    },
    publicUrl: config.publicUrl,
    dataDir: config.dataDir,
    store: config.store,
    rootKey: rootKeyLabel(config.rootKey),
    providers: [...config.providers.values()].map(providerToJson),
    callers: config.callers.map(({ name, expiresAtMs, allow }) => ({
      name,
      ...(expiresAtMs !== undefined && { expireTime: new Date(expiresAtMs) }),
      allow,
    })),
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

/** Whether a browser is ever sent there. */
function hasConsent(provider: Provider): boolean {
  return provider.clientId !== undefined && provider.definition.refresh.mode !== 'client_credentials'
}

function callerLines(callers: readonly CallerConfig[], now: number, style: Style): string[] {
  if (callers.length === 0) {
    return ['No callers are configured: only the holder of operator.token may call.']
  }
  const rows = callers.map(caller => [
    caller.name,
    callerExpiry(caller, now, style),
    caller.allow.map(ruleLabel).join('; ') || style('warning', 'nothing'),
  ])
  return table(
    ['CALLER', 'TOKEN EXPIRES', 'MAY CALL'].map(heading => style('heading', heading)),
    rows,
  )
}

function callerExpiry({ expiresAtMs }: CallerConfig, now: number, style: Style): string {
  if (expiresAtMs === undefined) return 'never'
  const time = formatTime(new Date(expiresAtMs), now) ?? ''
  return expiresAtMs <= now ? style('bad', `expired ${time}`) : time
}

function ruleLabel({ providers, accounts, methods }: AllowRule): string {
  const whose = accounts.map(account =>
    account === '' ? 'the system-level credential' : `account ${account}`,
  )
  return `${methods.join(', ')} of ${providers.join(', ')} for ${whose.join(', ')}`
}

function listenerLabel({ host, port, tls }: Listener): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return tls === undefined ? address : `${address} (TLS: ${tlsLabel(tls)})`
}

function tlsLabel(tls: Listener['tls']): string {
  if (tls === undefined) return 'off'
  return tls === 'proxy' ? 'ended by a proxy' : 'own certificate'
}

function rootKeyLabel(source: RootKeySource): string {
  if (source.kind === 'value') return source.origin
  return source.createIfMissing ? `${source.path} (made at the first start)` : source.path
}
