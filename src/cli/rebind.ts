import { AdminServiceService, type RebindConnectionsResponse } from '../gen/tokenbroker/v1/admin.ts'
import { PROVIDER_CALL_DEADLINE_MS, withBroker } from './client.ts'
import { declined } from './declined.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain, print, printJson } from './output.ts'

export interface RebindOptions {
  /** Undefined = not said. */
  readonly account?: string
  readonly all?: boolean
  /** Do not ask. */
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** Binds connections to the endpoint and client that the configuration names now, after asking. */
export async function rebind(provider: string, options: RebindOptions, io: Io): Promise<number> {
  const { account, all, yes, dryRun, json } = options
  if ((account === undefined) === (all === undefined)) {
    throw usageError('say which connections: --account ACCOUNT, or --all')
  }
  const scope =
    account === undefined
      ? ({ $case: 'allAccounts', value: true } as const)
      : ({ $case: 'account', value: account } as const)
  return withBroker(io, async broker => {
    const call = (dryRun: boolean) =>
      broker.call(
        AdminServiceService.rebindConnections,
        { provider, scope, dryRun },
        PROVIDER_CALL_DEADLINE_MS,
      )
    if (dryRun || !yes) {
      const preview = await call(true)
      if (dryRun) return report(preview, 'would be rebound', json, io)
      if (preview.reboundCount === 0) return report(preview, 'were rebound', json, io)
      if (!(await isConfirmed(preview, io))) return declined(json, io)
    }
    return report(await call(false), 'were rebound', json, io)
  })
}

/** The tokens will go where they have never gone: a person should see where. */
async function isConfirmed(preview: RebindConnectionsResponse, io: Io): Promise<boolean> {
  if (io.ask === undefined)
    throw usageError('nobody can be asked here; add --yes, or look first with --dry-run')
  const { reboundCount, previousTokenOrigins, tokenOrigin, endpointOrigins } = preview
  note(io, `The tokens of ${reboundCount} connections were sealed for ${originsOf(previousTokenOrigins)}.`)
  const others = endpointOrigins.filter(origin => origin !== tokenOrigin)
  const also = others.length === 0 ? '' : `, and to revoke or verify them to ${originsOf(others)},`
  // Where the address is another for each connection, all of them are named.
  const places = tokenOrigin === '' ? originsOf(endpointOrigins) : `${plain(tokenOrigin)}${also}`
  const answer = await io.ask(`Send them to ${places} from now on? [y/N] `)
  return /^y(es)?$/i.test(answer.trim())
}

function report(
  response: RebindConnectionsResponse,
  what: string,
  json: boolean | undefined,
  io: Io,
): number {
  const { tokenOrigin, previousTokenOrigins, endpointOrigins, reboundCount, unchangedCount } = response
  const { skippedCount, skippedAccounts } = response
  if (json) {
    printJson(io, {
      tokenOrigin,
      previousTokenOrigins,
      endpointOrigins,
      reboundCount,
      unchangedCount,
      skippedCount,
      skippedAccounts,
    })
  } else {
    const from = reboundCount > 0 ? ` from ${originsOf(previousTokenOrigins)}` : ''
    const to = tokenOrigin === '' ? '' : ` to ${plain(tokenOrigin)}`
    print(io, `${reboundCount} connections ${what}${from}${to}; ${unchangedCount} were bound to it before.`)
    if (skippedCount > 0) {
      const names = skippedAccounts.map(name => (name === '' ? '""' : plain(name))).join(', ')
      note(
        io,
        `${skippedCount} were left out, because their tokens cannot be read or were just renewed: ${names}`,
      )
    }
  }
  return skippedCount > 0 ? EXIT.negative : EXIT.ok
}

function originsOf(origins: readonly string[]): string {
  return origins.map(plain).join(', ') || 'no endpoint'
}
