import {
  AdminServiceService,
  type ListConnectionsResponse,
  type Provider,
  type ProviderHealth,
} from '../gen/tokenbroker/v1/admin.ts'
import { ConnectionState, type ConnectionStatus } from '../gen/tokenbroker/v1/token_broker.ts'
import { type BrokerClient, withBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import type { StoredState } from './option-values.ts'
import { note, plain, print, printJson, type Style, styleFor, table } from './output.ts'
import { providerAccount, toneOf } from './status-view.ts'
import { formatRelative } from './time.ts'
import { enumName, providerToJson, statusToJson } from './to-json.ts'

export interface ListOptions {
  /** Empty = all. */
  readonly provider: string
  /** Undefined = any. */
  readonly state?: StoredState
  /** List the configured providers rather than the connections. */
  readonly providers?: boolean
  readonly json?: boolean
}

/** Few calls, and far below the 4 MiB that gRPC takes as one message even with long lists of scopes. */
const PAGE_SIZE = 200
/** Two million connections; more means that a broker repeats its pages. */
const PAGES_MAX = 10_000

/** Lists connections or configured providers as an aligned table. */
export async function list(options: ListOptions, io: Io): Promise<number> {
  await withBroker(io, broker =>
    options.providers ? listProviders(broker, options, io) : listConnections(broker, options, io),
  )
  return EXIT.ok
}

async function listConnections(broker: BrokerClient, options: ListOptions, io: Io): Promise<void> {
  const connections = await readAllPages(broker, options)
  if (options.json) return printJson(io, { connections: connections.map(statusToJson) })
  if (connections.length === 0) {
    return note(io, 'No connections. Connect one with: token-broker connect PROVIDER')
  }
  const style = styleFor(io.stdout, io.env)
  const headings = ['PROVIDER', 'ACCOUNT', 'STATE', 'PROVIDER ACCOUNT', 'EXPIRES', 'LAST USED', 'PROBLEM']
  const rows = connections.map(status => connectionRow(status, io.now(), style))
  print(io, ...table(styled(headings, style), rows))
}

async function readAllPages(broker: BrokerClient, options: ListOptions): Promise<ConnectionStatus[]> {
  const connections: ConnectionStatus[] = []
  let pageToken = ''
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page: ListConnectionsResponse = await broker.call(AdminServiceService.listConnections, {
      provider: options.provider,
      state: ConnectionState[options.state ?? 'UNSPECIFIED'],
      pageSize: PAGE_SIZE,
      pageToken,
    })
    connections.push(...page.connections)
    pageToken = page.nextPageToken
    if (pageToken === '') return connections
  }
  throw new CliError(EXIT.negative, `the broker's list did not end after ${PAGES_MAX} pages`)
}

function connectionRow(status: ConnectionStatus, now: number, style: Style): string[] {
  return [
    plain(status.provider),
    status.account === '' ? NONE : plain(status.account),
    style(toneOf(status), enumName(ConnectionState, status.state)),
    providerAccount(status) ?? NONE,
    status.expireTime ? formatRelative(status.expireTime, now) : NONE,
    status.lastUsedTime ? formatRelative(status.lastUsedTime, now) : NONE,
    status.healthy ? '' : plain(status.diagnosis),
  ]
}

async function listProviders(broker: BrokerClient, options: ListOptions, io: Io): Promise<void> {
  const { providers } = await broker.call(AdminServiceService.listProviders, {})
  if (options.json) return printJson(io, { providers: providers.map(providerToJson) })
  if (providers.length === 0)
    return note(io, 'No providers are configured, or none that this caller may see.')
  const style = styleFor(io.stdout, io.env)
  const headings = ['PROVIDER', 'DEFINITION', 'ENVIRONMENT', 'CONNECTIONS', 'HEALTH', 'REDIRECT URI']
  print(
    io,
    ...table(
      styled(headings, style),
      providers.map(provider => providerRow(provider, io.now(), style)),
    ),
  )
}

function providerRow(provider: Provider, now: number, style: Style): string[] {
  return [
    plain(provider.provider),
    plain(provider.definition),
    plain(provider.environment),
    connectionCount(provider),
    health(provider, now, style),
    plain(provider.redirectUri) || NONE,
  ]
}

function connectionCount(provider: Provider): string {
  const needConsent = provider.reauthRequiredCount > 0 ? `, ${provider.reauthRequiredCount} need consent` : ''
  return `${provider.connectionCount}${needConsent}${provider.hasStaticToken ? ', static token' : ''}`
}

function health({ health }: Provider, now: number, style: Style): string {
  const usual = style('good', health?.lastSuccessTime ? 'ok' : 'not called yet')
  if (health === undefined) return usual
  const { waiting, retryBudget } = health
  const retries = retryBudget === 0 ? ', its retries held back' : ''
  return `${troubleOf(health, now, style) ?? usual}${waiting > 0 ? `, ${waiting} waiting${retries}` : ''}`
}

/** The worst of what is wrong with a provider; what keeps all requests back comes first. */
function troubleOf(health: ProviderHealth, now: number, style: Style): string | undefined {
  const { misconfiguredSince, openSince, blockedUntil, holdingVerdictsSince, consecutiveFailures } = health
  if (misconfiguredSince) {
    return style('bad', `refuses our client since ${formatRelative(misconfiguredSince, now)}`)
  }
  if (openSince) return style('bad', `does not answer since ${formatRelative(openSince, now)}, is probed`)
  if (blockedUntil && blockedUntil.getTime() > now) {
    return style('warning', `asked to wait, goes on ${formatRelative(blockedUntil, now)}`)
  }
  if (holdingVerdictsSince) {
    return style(
      'bad',
      `refuses too many grants to be believed since ${formatRelative(holdingVerdictsSince, now)}`,
    )
  }
  return consecutiveFailures > 0 ? style('warning', `${consecutiveFailures} failures in a row`) : undefined
}

function styled(headings: readonly string[], style: Style): string[] {
  return headings.map(heading => style('heading', heading))
}

/** Stands where there is nothing; for an account it is the system-level credential. */
const NONE = '-'
