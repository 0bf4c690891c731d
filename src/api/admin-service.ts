import type { Broker, ConnectionListRequest, ConnectionStatus } from '../broker/broker.ts'
import type { Consent, ConsentConfirmation, ConsentLinkRequest } from '../broker/consent/consent.ts'
import { BrokerError } from '../broker/errors.ts'
import { allowedAccounts, isAllowed, isAllowedEverywhere } from '../broker/policy/policy.ts'
import type { Sight } from '../broker/visible-rows.ts'
import {
  type AdminServiceService,
  type CompleteConsentRequest,
  type CreateConsentLinkRequest,
  type GetConsentRequest,
  type ListConnectionsRequest,
  ListConnectionsResponse,
  type WatchConnectionsRequest,
  type WatchConnectionsResponse,
} from '../gen/tokenbroker/v1/admin.ts'
import { ConnectionState } from '../gen/tokenbroker/v1/token_broker.ts'
import { Secret } from '../secret.ts'
import { createAuditProcedures } from './audit-procedures.ts'
import { anywhere, disguised, mayKnowProvider, onConnection, requireAllowedScopes } from './authorization.ts'
import type { Caller } from './callers.ts'
import {
  connectionListToProto,
  consentLinkToProto,
  consentToProto,
  providerToProto,
  statusToProto,
} from './conversion.ts'
import { type Procedures, rpc } from './handler.ts'
import { importRequestFromProto, importToProto } from './import-request.ts'
import { createKeyProcedures } from './key-procedures.ts'
import { SEND_BYTES_MAX, WATCH_OF_ALL_WEIGHT } from './limits.ts'
import { stream } from './stream.ts'
import {
  connectionFaults,
  nameFault,
  pageSizeFault,
  pageTokenFault,
  providerFault,
  refuseFaults,
  requiredOpaqueFault,
  scopesFault,
  variablesFault,
} from './validation.ts'

const PAGE_SIZE_DEFAULT = 100
/** Connections in one page, as the `.proto` file says. */
const PAGE_SIZE_MAX = 1_000

/** `AdminService`: consent, import, lists. */
export function createAdminProcedures(broker: Broker): Procedures<typeof AdminServiceService> {
  return {
    createConsentLink: rpc({
      allows: onConnection,
      parse: consentLinkRequestFromProto,
      run: async (request, { caller }) => {
        requireAllowedScopes(caller, 'CreateConsentLink', request, scopesOfGrant(broker, request))
        return consentLinkToProto(await broker.createConsentLink({ ...request, caller }))
      },
    }),
    getConsent: rpc({
      allows: anywhere,
      parse: consentIdFromProto,
      run: async (consentId, { caller }) => ({
        consent: consentToProto(await findVisibleConsent(broker, consentId, caller, 'GetConsent')),
      }),
    }),
    completeConsent: rpc({
      allows: anywhere,
      parse: confirmationFromProto,
      run: async (confirmation, { caller }) => {
        // Whoever may not, destroys nothing.
        await findVisibleConsent(broker, confirmation.consentId, caller, 'CompleteConsent')
        const consent = await broker.completeConsent({ ...confirmation, caller }).catch(sayNotFound)
        return { consent: consentToProto(consent) }
      },
    }),
    listConnections: rpc({
      allows: anywhere,
      parse: listRequestFromProto,
      run: (request, { caller }) => listVisibleConnections(broker, request, caller),
    }),
    importConnection: rpc({
      allows: onConnection,
      parse: importRequestFromProto,
      run: async (request, { caller }) => {
        requireAllowedScopes(caller, 'ImportConnection', request, scopesOfGrant(broker, request))
        return importToProto(await broker.importConnection({ ...request, caller }))
      },
    }),
    ...createAuditProcedures(broker),
    ...createKeyProcedures(broker),
    listProviders: rpc({
      allows: anywhere,
      parse: () => undefined,
      run: async (_request, { caller }) => {
        const providers = await broker.listProviders(sightOf(caller, 'ListProviders'))
        const visible = providers.filter(({ provider }) =>
          mayKnowProvider(caller.allow, 'ListProviders', provider),
        )
        return { providers: visible.map(providerToProto) }
      },
    }),
    watchConnections: stream({
      allows: anywhere,
      parse: providerFromProto,
      weight: () => WATCH_OF_ALL_WEIGHT,
      run: (provider, { permits, signal }) =>
        statusesToProto(broker.watchConnections({ provider, visible: permits, signal })),
    }),
  }
}

function consentLinkRequestFromProto(request: CreateConsentLinkRequest): Omit<ConsentLinkRequest, 'caller'> {
  const { provider, account, scopes, variables, subject, returnId, allowAccountChange } = request
  refuseFaults({
    ...connectionFaults(request),
    scopes: scopesFault(scopes),
    variables: variablesFault(variables),
    subject: nameFault(subject),
    return_id: returnId === '' ? undefined : providerFault(returnId),
  })
  return { provider, account, scopes, variables, subject, returnId, allowAccountChange }
}

/** The scopes that a grant is asked for or stored with. */
function scopesOfGrant(
  broker: Broker,
  { provider, scopes }: Pick<ConsentLinkRequest, 'provider' | 'scopes'>,
): readonly string[] {
  return scopes.length > 0 ? scopes : broker.configuredScopes(provider)
}

function consentIdFromProto({ consentId }: GetConsentRequest): string {
  refuseFaults({ consent_id: requiredOpaqueFault(consentId) })
  return consentId
}

function confirmationFromProto(request: CompleteConsentRequest): Omit<ConsentConfirmation, 'caller'> {
  const { consentId, receipt, subject } = request
  refuseFaults({
    consent_id: requiredOpaqueFault(consentId),
    receipt: requiredOpaqueFault(receipt),
    subject: subject === '' ? 'must be set' : nameFault(subject),
  })
  return { consentId, receipt: new Secret(receipt), subject }
}

/** A consent that the caller may not see is refused with the very words for one that does not exist. */
async function findVisibleConsent(
  broker: Broker,
  consentId: string,
  caller: Caller,
  method: string,
): Promise<Consent> {
  const consent = await broker.getConsent(consentId).catch(sayNotFound)
  if (!isAllowed(caller.allow, method, consent)) throw consentNotFound(disguised(caller, method, consent))
  return consent
}

/** The same words, whatever the reason why it is not found. */
function sayNotFound(error: unknown): never {
  throw error instanceof BrokerError && error.reason === 'CONSENT_NOT_FOUND' ? consentNotFound() : error
}

/** @param cause for the audit alone: the caller is not told of it */
function consentNotFound(cause?: BrokerError): BrokerError {
  const message = 'there is no such consent, or it ended more than 24 hours ago'
  return new BrokerError('CONSENT_NOT_FOUND', message, { cause })
}

function providerFromProto({ provider }: WatchConnectionsRequest): string | undefined {
  if (provider === '') return undefined
  refuseFaults({ provider: providerFault(provider) })
  return provider
}

async function* statusesToProto(
  statuses: AsyncIterable<ConnectionStatus>,
): AsyncGenerator<WatchConnectionsResponse> {
  for await (const status of statuses) yield { status: statusToProto(status) }
}

type ListRequest = Omit<ConnectionListRequest, keyof Sight>

function listRequestFromProto(request: ListConnectionsRequest): ListRequest {
  const { provider, state, pageSize, pageToken } = request
  refuseFaults({
    provider: provider === '' ? undefined : providerFault(provider),
    state: state === ConnectionState.UNSPECIFIED || storedState(state) ? undefined : STATE_FAULT,
    page_size: pageSizeFault(pageSize),
    page_token: pageTokenFault(pageToken),
  })
  return {
    provider: provider === '' ? undefined : provider,
    state: storedState(state),
    pageSize: Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX),
    pageToken,
  }
}

const STATE_FAULT = 'must be a stored state: ACTIVE, REAUTH_REQUIRED or CONNECTION_MISCONFIGURED'

function storedState(state: ConnectionState): ConnectionListRequest['state'] {
  switch (state) {
    case ConnectionState.ACTIVE:
      return 'ACTIVE'
    case ConnectionState.REAUTH_REQUIRED:
      return 'REAUTH_REQUIRED'
    case ConnectionState.CONNECTION_MISCONFIGURED:
      return 'CONNECTION_MISCONFIGURED'
    default:
      return undefined
  }
}

/** Which connections a caller may see; undefined = all, as for most who may list. */
function sightOf({ allow }: Caller, method: string): Sight | undefined {
  if (isAllowedEverywhere(allow, method)) return undefined
  return {
    visible: name => isAllowed(allow, method, name),
    accounts: provider => allowedAccounts(allow, method, provider),
  }
}

/** A provider that no rule shows lists like one without connections: the broker is not even asked for it. */
async function listVisibleConnections(
  broker: Broker,
  request: ListRequest,
  caller: Caller,
): Promise<ListConnectionsResponse> {
  const { provider } = request
  if (provider !== undefined && !mayKnowProvider(caller.allow, 'ListConnections', provider))
    return { connections: [], nextPageToken: '' }
  const sight = sightOf(caller, 'ListConnections') ?? { visible: () => true }
  return listPageThatFits(broker, { ...request, ...sight })
}

/** A page may hold less than was asked for; halving it keeps a page of long lists of scopes sendable. */
async function listPageThatFits(
  broker: Broker,
  request: ConnectionListRequest,
): Promise<ListConnectionsResponse> {
  const page = connectionListToProto(await broker.listConnections(request))
  const fits = ListConnectionsResponse.encode(page).finish().byteLength <= SEND_BYTES_MAX
  if (fits || request.pageSize === 1) return page
  return listPageThatFits(broker, { ...request, pageSize: Math.ceil(request.pageSize / 2) })
}
