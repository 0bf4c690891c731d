import type { ConnectionName } from '../broker/broker.ts'
import { BrokerError } from '../broker/errors.ts'
import {
  forbiddenScopes,
  isAllowed,
  isAllowedAnywhere,
  isAllowedEverywhere,
} from '../broker/policy/policy.ts'
import type { AllowRule } from '../config/config.ts'
import { Shared } from '../gen/tokenbroker/v1/token_broker.ts'
import type { Caller } from './callers.ts'

/** Whether rules allow a method for what a request names. Decided before the request is validated. */
export type Authorization<Request> = (
  rules: readonly AllowRule[],
  method: string,
  request: Request,
) => boolean

/** The request names one connection. */
export const onConnection: Authorization<ConnectionName> = isAllowed

/** The request names many connections: all must be allowed. */
export function onEveryConnection(
  rules: readonly AllowRule[],
  method: string,
  { connections }: { readonly connections: readonly ConnectionName[] },
): boolean {
  return isAllowedAnywhere(rules, method) && connections.every(name => isAllowed(rules, method, name))
}

/** The request names no connection: the method must be allowed somewhere, and the answer is filtered. */
export const anywhere: Authorization<unknown> = (rules, method) => isAllowedAnywhere(rules, method)

/** The request is about everything that the broker holds: one rule must allow the method for all of it. */
export const everywhere: Authorization<unknown> = (rules, method) => isAllowedEverywhere(rules, method)

/** A disconnection; one that ends other connections of the provider too needs the right for every account. */
export function onDisconnection(
  rules: readonly AllowRule[],
  method: string,
  request: ConnectionName & { readonly shared: Shared },
): boolean {
  if (request.shared !== Shared.REVOKE) return isAllowed(rules, method, request)
  const unrestricted = rules.filter(({ accounts }) => accounts.includes('*'))
  return isAllowed(unrestricted, method, request)
}

/** Whether the rules allow the method for some connection of the provider, whichever. */
export function mayKnowProvider(rules: readonly AllowRule[], method: string, provider: string): boolean {
  return rules.some(
    rule =>
      rule.accounts.length > 0 &&
      isAllowed([{ ...rule, accounts: ['*'] }], method, { provider, account: '' }),
  )
}

/**
 * Refuses scopes that a call is about and its caller's rules do not let it name. For who may call the method for the
 * connection; says nothing about what exists.
 *
 * @throws BrokerError `ACCESS_DENIED`
 */
export function requireAllowedScopes(
  { name, allow }: Caller,
  method: string,
  connection: ConnectionName,
  scopes: readonly string[],
): void {
  if (scopes.length === 0) return
  const forbidden = forbiddenScopes(allow, method, connection, scopes)
  if (forbidden.length === 0) return
  const list = forbidden.join(' ')
  throw new BrokerError(
    'ACCESS_DENIED',
    `the caller ${name} may not call ${method} with these scopes: ${list}`,
    {
      metadata: { caller: name, method, scopes: list },
      help: 'ask the operator to add them to the "scopes" of a rule under "callers" in the broker\'s configuration',
    },
  )
}

/** The refusal, which is the same whether or not what was asked for exists. */
export function accessDenied(caller: Caller, method: string): BrokerError {
  const message = `the caller ${caller.name} may not call ${method} for this connection, or it does not exist`
  return new BrokerError('ACCESS_DENIED', message, {
    metadata: { caller: caller.name, method },
    help: `ask the operator to allow ${method} under "callers" in the broker's configuration`,
  })
}

/**
 * The refusal behind an answer that says of something existing that it does not, as the `cause` of that answer: it tells the
 * audit, and nobody else, which connection the caller has no right to.
 */
export function disguised(
  caller: Caller,
  method: string,
  { provider, account }: ConnectionName,
): BrokerError {
  return new BrokerError('ACCESS_DENIED', `the caller ${caller.name} may not call ${method}`, {
    metadata: { provider, account },
  })
}

/**
 * Why a stream ends whose caller has lost its right to one of its connections, which this names, because of a thousand
 * nobody could tell which: the caller has named it itself, and whether it exists plays no part.
 */
export function rightLost(
  caller: Caller,
  method: string,
  { provider, account }: ConnectionName,
): BrokerError {
  const connection = account === '' ? provider : `${provider} account "${account}"`
  const message = `the caller ${caller.name} may not call ${method} for ${connection} any more; open the stream again without it`
  return new BrokerError('ACCESS_DENIED', message, {
    metadata: { caller: caller.name, method, provider, account },
    help: `ask the operator to allow ${method} under "callers" in the broker's configuration`,
  })
}
