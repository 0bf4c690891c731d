import type { Broker } from '../broker/broker.ts'
import { BrokerError } from '../broker/errors.ts'
import type { KeyList, Keys } from '../broker/keys/keys.ts'
import type { RebindRequest, RebindResult } from '../broker/keys/rebind.ts'
import { isAllowed } from '../broker/policy/policy.ts'
import type { AllowRule } from '../config/config.ts'
import {
  type AdminServiceService,
  type GetKeysResponse,
  KeyPurpose,
  KeyState,
  type RebindConnectionsRequest,
  type RebindConnectionsResponse,
  type Restore,
} from '../gen/tokenbroker/v1/admin.ts'
import { everywhere } from './authorization.ts'
import { type Procedures, rpc } from './handler.ts'
import { nameFault, providerFault, refuseFaults } from './validation.ts'

type Names = 'getKeys' | 'rotateKeys' | 'rewrapKeys' | 'rebindConnections' | 'getRestore'
type RestoreReport = NonNullable<Awaited<ReturnType<Broker['restoreReport']>>>

/** The procedures of `AdminService` about keys, moved endpoints and restored copies. */
export function createKeyProcedures(
  broker: Pick<Broker, 'keys' | 'rebindConnections' | 'restoreReport'>,
): Pick<Procedures<typeof AdminServiceService>, Names> {
  return {
    getKeys: rpc({
      allows: everywhere,
      parse: () => undefined,
      run: async () => keyListToProto(await keysOf(broker).list()),
    }),
    rotateKeys: rpc({
      allows: everywhere,
      parse: () => undefined,
      run: async (_request, { caller }) => {
        const { kid, rotated } = await keysOf(broker).rotate(caller)
        return { keyId: kid, rotated }
      },
    }),
    rewrapKeys: rpc({
      allows: everywhere,
      parse: () => undefined,
      run: async (_request, { caller }) => {
        const { rootFingerprint, keys } = await keysOf(broker).rewrap(caller)
        return { rootKeyFingerprint: rootFingerprint, keyCount: keys }
      },
    }),
    rebindConnections: rpc({
      allows: onScope,
      parse: rebindRequestFromProto,
      run: async (request, { caller }) =>
        rebindResultToProto(await broker.rebindConnections({ ...request, caller })),
    }),
    getRestore: rpc({
      allows: everywhere,
      parse: () => undefined,
      run: async () => {
        const report = await broker.restoreReport()
        return { restore: report && restoreToProto(report) }
      },
    }),
  }
}

function keysOf({ keys }: Pick<Broker, 'keys'>): Keys {
  if (keys !== undefined) return keys
  throw new BrokerError('NOT_IMPLEMENTED', 'this broker does not take care of keys')
}

/** All accounts of a provider need the right for every account. */
function onScope(
  rules: readonly AllowRule[],
  method: string,
  { provider, scope }: RebindConnectionsRequest,
): boolean {
  const isOne = scope?.$case === 'account'
  const fitting = isOne ? rules : rules.filter(({ accounts }) => accounts.includes('*'))
  return isAllowed(fitting, method, { provider, account: isOne ? scope.value : '' })
}

function rebindRequestFromProto({
  provider,
  scope,
  dryRun,
}: RebindConnectionsRequest): Omit<RebindRequest, 'caller'> {
  const account = scope?.$case === 'account' ? scope.value : undefined
  const isAll = scope?.$case === 'allAccounts' && scope.value
  refuseFaults({
    provider: providerFault(provider),
    account: account === undefined ? undefined : nameFault(account),
    scope: account === undefined && !isAll ? 'must say which: account, or all_accounts as true' : undefined,
  })
  return { provider, account, dryRun }
}

function keyListToProto({ keys, rootFingerprint, unknownKeyValues, resealing }: KeyList): GetKeysResponse {
  return {
    keys: keys.map(({ kid, purpose, state, createdAt, values }) => ({
      keyId: kid,
      purpose: KeyPurpose[purpose],
      state: KeyState[state],
      createTime: new Date(createdAt),
      valueCount: values,
    })),
    rootKeyFingerprint: rootFingerprint,
    unknownKeyValueCount: unknownKeyValues,
    resealing,
  }
}

function rebindResultToProto(result: RebindResult): RebindConnectionsResponse {
  return {
    tokenOrigin: result.tokenOrigin,
    previousTokenOrigins: [...result.previousOrigins],
    endpointOrigins: [...result.endpointOrigins],
    reboundCount: result.rebound,
    unchangedCount: result.unchanged,
    skippedCount: result.skipped,
    skippedAccounts: [...result.skippedAccounts],
  }
}

function restoreToProto({ acceptedAt, survived, lost, pending, lostConnections }: RestoreReport): Restore {
  return {
    acceptTime: new Date(acceptedAt),
    survivedCount: survived,
    lostCount: lost,
    pendingCount: pending,
    lostConnections: [...lostConnections],
  }
}
