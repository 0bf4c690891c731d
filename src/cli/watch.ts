import { AdminServiceService } from '../gen/tokenbroker/v1/admin.ts'
import {
  type ConnectionName,
  ConnectionState,
  type ConnectionStatus,
  TokenBrokerServiceService,
  type WatchAccessTokensResponse,
} from '../gen/tokenbroker/v1/token_broker.ts'
import { type BrokerClient, type WatchCallOptions, withBroker } from './client.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { keepOpen } from './keep-open.ts'
import { plain, print, printJsonLine, type Style, styleFor } from './output.ts'
import { connectionLabel, toneOf } from './status-view.ts'
import { formatInstant, formatTime } from './time.ts'
import { enumName, statusToJson, tokenStateToJson } from './to-json.ts'

export interface WatchOptions {
  readonly json?: boolean
}

/** One change, ready to be printed. */
interface Change {
  readonly name: ConnectionName
  /** Without secrets. */
  readonly json: object
  readonly sentence: (style: Style, now: number) => string
}

/**
 * Prints a line for each connection at once, and then whenever one changes. Never prints a token.
 *
 * A stream that breaks after it was open is opened again; what was printed before is not repeated.
 *
 * @param connections `PROVIDER` or `PROVIDER/ACCOUNT`; none = the states of all
 */
export async function watch(connections: readonly string[], options: WatchOptions, io: Io): Promise<number> {
  const interrupted = io.untilInterrupted()
  const names = connections.map(nameFrom)
  const printed = new Map<string, string>()
  await withBroker(io, broker =>
    keepOpen(io, interrupted, async opened => {
      for await (const change of changesOf(broker, names, { signal: interrupted, opened })) {
        show(change, printed, options, io)
      }
    }),
  )
  return EXIT.ok
}

/** Accounts may have slashes, ids of providers do not. */
function nameFrom(written: string): ConnectionName {
  const slash = written.indexOf('/')
  return slash < 0
    ? { provider: written, account: '' }
    : { provider: written.slice(0, slash), account: written.slice(slash + 1) }
}

async function* changesOf(
  broker: BrokerClient,
  names: ConnectionName[],
  options: WatchCallOptions,
): AsyncGenerator<Change> {
  if (names.length === 0) {
    const request = { provider: '' }
    for await (const { status } of broker.watch(AdminServiceService.watchConnections, request, options)) {
      if (status !== undefined) yield statusChange(status)
    }
    return
  }
  const request = { connections: names }
  for await (const state of broker.watch(TokenBrokerServiceService.watchAccessTokens, request, options)) {
    yield tokenChange(state)
  }
}

function show({ name, json, sentence }: Change, printed: Map<string, string>, options: WatchOptions, io: Io) {
  const key = `${name.provider}/${name.account}`
  // What a person would read as the same line says nothing new; at a fixed time, so that minutes do not count.
  const text = options.json ? JSON.stringify(json) : sentence((_, text) => text, 0)
  if (printed.get(key) === text) return
  printed.set(key, text)
  if (options.json) return printJsonLine(io, json)
  const now = io.now()
  print(io, `${formatInstant(new Date(now))} ${sentence(styleFor(io.stdout, io.env), now)}`)
}

function statusChange(status: ConnectionStatus): Change {
  return {
    name: status,
    json: { status: statusToJson(status) },
    sentence: style => {
      const state = enumName(ConnectionState, status.state)
      return `${style(toneOf(status), connectionLabel(status))}: ${state}, ${plain(status.diagnosis)}`
    },
  }
}

function tokenChange(message: WatchAccessTokensResponse): Change {
  const { connection: name = { provider: '', account: '' }, state } = message
  const label = connectionLabel(name)
  const json = tokenStateToJson(message)
  if (state?.$case !== 'token') {
    const { reason = '', message: text = 'nothing is known' } = state?.value ?? {}
    return { name, json, sentence: style => `${style('bad', label)}: ${plain(`${reason}: ${text}`)}` }
  }
  const { version, expireTime, degraded } = state.value
  return {
    name,
    json,
    sentence(style, now) {
      const expires = formatTime(expireTime, now)
      const failing = degraded ? `, but the last refresh failed (${degraded.reason})` : ''
      const end = expires ? `, expires ${expires}` : ''
      return `${style(degraded ? 'warning' : 'good', label)}: token ${plain(`${version}${end}${failing}`)}`
    },
  }
}
