import {
  type DisconnectResponse,
  Revocation,
  Shared,
  TokenBrokerServiceService,
} from '../gen/tokenbroker/v1/token_broker.ts'
import { PROVIDER_CALL_DEADLINE_MS, withBroker } from './client.ts'
import { declined } from './declined.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { print, printJson } from './output.ts'
import { connectionLabel } from './status-view.ts'
import { enumName } from './to-json.ts'

export interface DisconnectOptions {
  readonly account: string
  /** What to do where the provider's revocation would end other connections too. */
  readonly shared: 'keep' | 'revoke'
  /** Do not ask. */
  readonly yes?: boolean
  readonly json?: boolean
}

/** Forgets a connection's tokens and revokes them at the provider, once a person said yes. */
export async function disconnect(provider: string, options: DisconnectOptions, io: Io): Promise<number> {
  const name = connectionLabel({ provider, account: options.account })
  if (!options.yes && !(await confirmed(name, io))) return declined(options.json, io)
  const response = await withBroker(io, broker =>
    broker.call(
      TokenBrokerServiceService.disconnect,
      {
        provider,
        account: options.account,
        shared: options.shared === 'revoke' ? Shared.REVOKE : Shared.KEEP,
      },
      PROVIDER_CALL_DEADLINE_MS,
    ),
  )
  if (options.json) {
    printJson(io, { ...response, revocation: enumName(Revocation, response.revocation) })
  } else {
    print(io, ...report(name, response))
  }
  return EXIT.ok
}

async function confirmed(name: string, io: Io): Promise<boolean> {
  if (io.ask === undefined)
    throw usageError('disconnecting cannot be undone: repeat with --yes to do it without a question')
  const answer = await io.ask(`Disconnect ${name}? A human has to consent again to undo this. [y/N] `)
  return /^y(es)?$/i.test(answer.trim())
}

function report(name: string, response: DisconnectResponse): string[] {
  const others = response.sharedConnections.map(connectionLabel).join(', ')
  const lines = [
    `${name}: disconnected; the broker has forgotten its tokens.`,
    atProvider(response.revocation),
  ]
  if (others !== '') lines.push(`${sharedSentence(response.revocation)} ${others}`)
  if (response.staticTokenRemains) {
    lines.push(
      'The static token of the configuration answers for it from now on; remove it there to end that too.',
    )
  }
  return lines
}

function atProvider(revocation: Revocation): string {
  switch (revocation) {
    case Revocation.REVOKED:
      return 'The provider has confirmed the revocation.'
    case Revocation.UNSUPPORTED:
      return 'The provider cannot revoke such tokens: those that were handed out live until they expire.'
    case Revocation.PENDING:
      return 'The provider did not answer the revocation; the broker tries again for a limited time.'
    case Revocation.NOTHING_TO_REVOKE:
      return 'There was nothing to revoke at the provider.'
    case Revocation.SKIPPED_SHARED:
      return 'Nothing was revoked at the provider, because that would end other connections of the same account there.'
    default:
      return `The broker did not say what was done at the provider (${revocation}).`
  }
}

function sharedSentence(revocation: Revocation): string {
  return revocation === Revocation.SKIPPED_SHARED
    ? 'Those go on until one of them is disconnected with --shared revoke:'
    : 'Other connections of the same provider account, which end with it:'
}
