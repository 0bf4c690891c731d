import type { Broker, ConnectionName, Disconnection, TokenRequest, TokenState } from '../broker/broker.ts'
import { isAllowed } from '../broker/policy/policy.ts'
import type { AllowRule } from '../config/config.ts'
import type { Duration } from '../gen/google/protobuf/duration.ts'
import {
  type DisconnectRequest,
  type GetAccessTokenRequest,
  type GetStatusRequest,
  Shared,
  type TokenBrokerServiceService,
  type WatchAccessTokensRequest,
  type WatchAccessTokensResponse,
} from '../gen/tokenbroker/v1/token_broker.ts'
import { onConnection, onDisconnection, onEveryConnection, requireAllowedScopes } from './authorization.ts'
import type { Caller } from './callers.ts'
import { accessTokenToProto, disconnectionToProto, statusToProto } from './conversion.ts'
import { type Procedures, rpc } from './handler.ts'
import { WATCHED_PER_STREAM_MAX } from './limits.ts'
import { codeOf } from './status.ts'
import { stream } from './stream.ts'
import {
  connectionFaults,
  enumFault,
  minTtlFault,
  opaqueFault,
  refuseFaults,
  scopesFault,
} from './validation.ts'

/** `TokenBrokerService`: all that ordinary callers need. */
export function createTokenProcedures(broker: Broker): Procedures<typeof TokenBrokerServiceService> {
  return {
    getAccessToken: rpc({
      allows: onConnection,
      parse: tokenRequestFromProto,
      judgedAgain: true,
      run: async (request, { caller, judge, signal }) => {
        const permit = (now: Caller) =>
          requireAllowedScopes(now, 'GetAccessToken', request, request.requiredScopes)
        permit(caller)
        const authorize = () => permit(judge())
        const token = await broker.getAccessToken({ ...request, caller, authorize, signal })
        return { token: accessTokenToProto(token) }
      },
    }),
    watchAccessTokens: stream({
      allows: onEveryConnection,
      parse: namesFromProto,
      weight: connections => connections.length,
      names: connections => connections,
      run: (connections, { caller, authorize, signal }) =>
        tokenStatesToProto(broker.watchAccessTokens({ connections, caller, authorize, signal })),
    }),
    getStatus: rpc({
      allows: onConnection,
      parse: statusRequestFromProto,
      judgedAgain: true,
      run: async (request, { caller }) => ({
        status: statusToProto(await broker.getStatus({ ...request, caller })),
      }),
    }),
    refresh: rpc({
      allows: onConnection,
      parse: nameFromProto,
      judgedAgain: true,
      run: async (name, { caller }) => {
        const { status, refreshed } = await broker.refresh({ ...name, caller })
        return { status: statusToProto(status), refreshed }
      },
    }),
    disconnect: rpc({
      allows: onDisconnection,
      parse: disconnectRequestFromProto,
      run: async (request, { caller }) =>
        disconnectionToProto(visibleTo(caller.allow, await broker.disconnect({ ...request, caller }))),
    }),
  }
}

function tokenRequestFromProto(
  request: GetAccessTokenRequest,
): Omit<TokenRequest, 'caller' | 'authorize' | 'signal'> {
  const { minTtl, rejectedVersion, requiredScopes } = request
  refuseFaults({
    ...connectionFaults(request),
    min_ttl: minTtlFault(minTtl),
    rejected_version: opaqueFault(rejectedVersion),
    required_scopes: scopesFault(requiredScopes),
  })
  return {
    provider: request.provider,
    account: request.account,
    minTtlMs: minTtl && durationToMs(minTtl),
    rejectedVersion: rejectedVersion === '' ? undefined : rejectedVersion,
    requiredScopes,
  }
}

function statusRequestFromProto(request: GetStatusRequest): ConnectionName & { readonly verify: boolean } {
  return { ...nameFromProto(request), verify: request.verify }
}

function disconnectRequestFromProto(
  request: DisconnectRequest,
): ConnectionName & { readonly shared: 'KEEP' | 'REVOKE' } {
  const { provider, account, shared } = request
  refuseFaults({ ...connectionFaults(request), shared: enumFault(shared, Shared) })
  return { provider, account, shared: shared === Shared.REVOKE ? 'REVOKE' : 'KEEP' }
}

function nameFromProto(name: ConnectionName): ConnectionName {
  refuseFaults(connectionFaults(name))
  return { provider: name.provider, account: name.account }
}

function namesFromProto({ connections }: WatchAccessTokensRequest): ConnectionName[] {
  if (connections.length === 0 || connections.length > WATCHED_PER_STREAM_MAX) {
    refuseFaults({ connections: `must be from 1 to ${WATCHED_PER_STREAM_MAX}` })
  }
  const faults = connections.flatMap((name, index) =>
    Object.entries(connectionFaults(name)).map(
      ([field, fault]) => [`connections[${index}].${field}`, fault] as const,
    ),
  )
  refuseFaults(Object.fromEntries(faults))
  return connections.map(({ provider, account }) => ({ provider, account }))
}

async function* tokenStatesToProto(
  states: AsyncIterable<TokenState>,
): AsyncGenerator<WatchAccessTokensResponse> {
  for await (const state of states) yield tokenStateToProto(state)
}

function tokenStateToProto(state: TokenState): WatchAccessTokensResponse {
  const { connection } = state
  if ('token' in state) {
    return { connection, state: { $case: 'token', value: accessTokenToProto(state.token) } }
  }
  const { reason, message } = state.error
  return { connection, state: { $case: 'error', value: { code: codeOf(reason), reason, message } } }
}

/** A disconnection names no connection whose state the caller may not ask for. */
function visibleTo(rules: readonly AllowRule[], disconnection: Disconnection): Disconnection {
  const sharedConnections = disconnection.sharedConnections.filter(
    name => isAllowed(rules, 'GetStatus', name) || isAllowed(rules, 'Disconnect', name),
  )
  return { ...disconnection, sharedConnections }
}

/** Rounds up: a token never lives shorter than asked for. */
function durationToMs({ seconds, nanos }: Duration): number {
  return seconds * 1000 + Math.ceil(nanos / 1_000_000)
}
