import type { Import, ImportRequest } from '../broker/broker.ts'
import {
  ImportCheck,
  type ImportConnectionRequest,
  type ImportConnectionResponse,
  ImportOutcome,
} from '../gen/tokenbroker/v1/admin.ts'
import { Secret } from '../secret.ts'
import { statusToProto } from './conversion.ts'
import {
  attributesFault,
  connectionFaults,
  enumFault,
  nameFault,
  refuseFaults,
  scopesFault,
  tokenFault,
  variablesFault,
} from './validation.ts'

/** Validates an import; what the provider's definition has to say about it is the broker's. */
export function importRequestFromProto(request: ImportConnectionRequest): ImportRequest {
  const { provider, account, credential, refreshToken, scopes, variables, attributes, check } = request
  refuseFaults({
    ...connectionFaults(request),
    ...credentialFaults(request),
    scopes: scopesFault(scopes),
    provider_account_id: nameFault(request.providerAccountId),
    variables: variablesFault(variables),
    attributes: attributesFault(attributes),
    check: enumFault(check, ImportCheck),
  })
  return {
    provider,
    account,
    credential: {
      kind: credential?.$case === 'migrationToken' ? 'migration_token' : 'access_token',
      token: new Secret(credential?.value ?? ''),
    },
    refreshToken: refreshToken === '' ? undefined : new Secret(refreshToken),
    expiresAt: request.expireTime?.getTime(),
    refreshExpiresAt: request.refreshExpireTime?.getTime(),
    scopes,
    providerAccountId: request.providerAccountId,
    variables,
    attributes,
    check: checkFromProto(check),
    replace: request.replace,
  }
}

/** What an import did. */
export function importToProto({ outcome, status, note }: Import): ImportConnectionResponse {
  return { status: statusToProto(status), outcome: ImportOutcome[outcome], note }
}

function credentialFaults(request: ImportConnectionRequest) {
  const { credential, refreshToken, expireTime, refreshExpireTime } = request
  const migrates = credential?.$case === 'migrationToken'
  const needless = 'must not be set beside migration_token, whose answer brings it'
  const refreshFault = refreshToken === '' ? undefined : tokenFault(refreshToken)
  const orphan =
    refreshExpireTime && refreshToken === '' ? 'must not be set without refresh_token' : undefined
  return {
    [migrates ? 'migration_token' : 'access_token']:
      credential === undefined ? 'must be set, or migration_token' : tokenFault(credential.value),
    refresh_token: migrates && refreshToken !== '' ? needless : refreshFault,
    expire_time: migrates && expireTime ? needless : timeFault(expireTime),
    refresh_expire_time: migrates && refreshExpireTime ? needless : (orphan ?? timeFault(refreshExpireTime)),
  }
}

/** A protobuf Timestamp reaches further than a date does. */
function timeFault(time: Date | undefined): string | undefined {
  return time !== undefined && Number.isNaN(time.getTime()) ? 'must be a time from year 1 to 9999' : undefined
}

function checkFromProto(check: ImportCheck): ImportRequest['check'] {
  switch (check) {
    case ImportCheck.VERIFY:
      return 'VERIFY'
    case ImportCheck.REFRESH:
      return 'REFRESH'
    default:
      return 'NONE'
  }
}
