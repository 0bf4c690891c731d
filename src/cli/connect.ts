import {
  AdminServiceService,
  type Consent,
  ConsentState,
  type CreateConsentLinkResponse,
} from '../gen/tokenbroker/v1/admin.ts'
import type { ConnectionStatus } from '../gen/tokenbroker/v1/token_broker.ts'
import { awaitConsent } from './await-consent.ts'
import { showPage } from './browser.ts'
import { withBroker } from './client.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { fields, note, plain, print, printJson, type Style, styleFor } from './output.ts'
import { connectionLabel, providerAccount, scopeList } from './status-view.ts'
import { formatTime } from './time.ts'
import { consentToJson } from './to-json.ts'

export interface ConnectOptions {
  readonly account: string
  /** Empty = the provider's configured scopes. */
  readonly scope: readonly string[]
  readonly variable: Readonly<Record<string, string>>
  readonly allowAccountChange?: boolean
  readonly browser: boolean
  /** How long to wait for the outcome, in milliseconds. */
  readonly timeout: number
  readonly json?: boolean
}

/** Prints a consent link, opens it in the browser, and reports how the consent went. */
export async function connect(provider: string, options: ConnectOptions, io: Io): Promise<number> {
  const interrupted = io.untilInterrupted()
  return withBroker(io, async broker => {
    const link = await broker.call(AdminServiceService.createConsentLink, {
      provider,
      account: options.account,
      scopes: [...options.scope],
      variables: { ...options.variable },
      subject: '',
      returnId: '',
      allowAccountChange: options.allowAccountChange ?? false,
    })
    const until = io.now() + options.timeout
    await announce(link, connectionLabel({ provider, account: options.account }), options, io)
    const consent = await awaitConsent(broker, link.consentId, { until, interrupted }, io)
    if (options.json) printJson(io, { ...link, ...(consent && consentToJson(consent)) })
    else print(io, ...outcome(consent, link, io))
    return consent?.state === ConsentState.COMPLETED ? EXIT.ok : EXIT.negative
  })
}

/** Shows the link; beside the answer, on stderr, if stdout is to hold nothing but JSON. */
async function announce(
  link: CreateConsentLinkResponse,
  name: string,
  options: ConnectOptions,
  io: Io,
): Promise<void> {
  const say = options.json ? note : print
  const until = formatTime(link.expireTime, io.now())
  say(io, `Open this link in a browser to connect ${name}:`, '', `  ${plain(link.url)}`, '')
  say(io, `It works once${until ? ` and ends ${until}` : ''}. Whoever has it can start this consent.`)
  const obstacle = options.browser ? await showPage(link.url, io) : undefined
  if (obstacle !== undefined) say(io, `No browser was opened: ${obstacle}.`)
  say(io, 'Waiting for the outcome. Ctrl-C stops the waiting; the link stays valid.', '')
}

function outcome(consent: Consent | undefined, link: CreateConsentLinkResponse, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  switch (consent?.state) {
    case ConsentState.COMPLETED:
      return connected(consent, io.now(), style)
    case ConsentState.DENIED:
      return [style('bad', 'Consent was denied.'), ...reasons(consent)]
    case ConsentState.EXPIRED:
      return [style('bad', 'Nobody finished the consent in time.'), 'Repeat the command for a new link.']
    case ConsentState.FAILED:
      return [style('bad', 'Consent failed; the connection is as it was before.'), ...reasons(consent)]
    default:
      return stillOpen(link, io.now(), style)
  }
}

function connected({ provider, account, status }: Consent, now: number, style: Style): string[] {
  const who = status && providerAccount(status)
  const headline = style(
    'good',
    `Connected ${connectionLabel({ provider, account })}${who ? ` as ${who}` : ''}.`,
  )
  return status === undefined ? [headline] : [headline, ...grantLines(status, now, style)]
}

function grantLines(status: ConnectionStatus, now: number, style: Style): string[] {
  return fields([
    ['Granted scopes', scopeList(status.grantedScopes)],
    [
      'Missing scopes',
      status.missingScopes.length > 0 ? style('warning', scopeList(status.missingScopes)) : '',
    ],
    ['Access token expires', formatTime(status.expireTime, now)],
    ['Refresh token expires', formatTime(status.refreshExpireTime, now)],
    ['Grant ends', formatTime(status.grantExpireTime, now)],
  ])
}

function reasons({ error }: Consent): string[] {
  if (error === undefined) return []
  const code = error.providerCode && ` [${error.providerCode}]`
  return [plain(`${error.message} (${error.reason})${code}`)]
}

function stillOpen(link: CreateConsentLinkResponse, now: number, style: Style): string[] {
  const until = formatTime(link.expireTime, now)
  return [
    style('warning', 'Stopped waiting without an outcome.'),
    `The link stays valid${until ? ` and ends ${until}` : ''}; token-broker status shows when somebody has used it.`,
  ]
}
