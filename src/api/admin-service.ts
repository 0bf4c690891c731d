import type {
  Broker,
  ConnectionListRequest,
  ConnectionStatus,
  Consent,
  ConsentLinkRequest,
} from '../broker/broker.ts'
import { BrokerError } from '../broker/errors.ts'
import { isAllowed } from '../broker/policy.ts'
import {
  type AdminServiceService,
  type CreateConsentLinkRequest,
  type GetConsentRequest,
  type ListConnectionsRequest,
  ListConnectionsResponse,
  type WatchConnectionsRequest,
  type WatchConnectionsResponse,
} from '../gen/tokenbroker/v1/admin.ts'
import { ConnectionState } from '../gen/tokenbroker/v1/token_broker.ts'
import { anywhere, mayKnowProvider, onConnection } from './authorization.ts'
import type { Caller } from './callers.ts'
import {
  connectionListToProto,
  consentLinkToProto,
  consentToProto,
  providerToProto,
  statusToProto,
} from './conversion.ts'
import { notImplemented, type Procedures, rpc } from './handler.ts'
import { importRequestFromProto, importToProto } from './import-request.ts'
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
      run: async (request, { caller }) =>
        consentLinkToProto(await broker.createConsentLink({ ...request, caller })),
    }),
    getConsent: rpc({
      allows: anywhere,
      parse: consentIdFromProto,
      run: async (consentId, { caller }) => ({
        consent: consentToProto(await findVisibleConsent(broker, consentId, caller)),
      }),
    }),
    completeConsent: notImplemented(anywhere),
    listConnections: rpc({
      allows: anywhere,
      parse: listRequestFromProto,
      run: (request, { caller }) => listVisibleConnections(broker, request, caller),
    }),
    importConnection: rpc({
      allows: onConnection,
      parse: importRequestFromProto,
      run: async request => importToProto(await broker.importConnection(request)),
    }),
    listProviders: rpc({
      allows: anywhere,
      parse: () => undefined,
      run: async (_request, { caller }) => {
        const providers = await broker.listProviders()
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

function consentIdFromProto({ consentId }: GetConsentRequest): string {
  refuseFaults({ consent_id: requiredOpaqueFault(consentId) })
  return consentId
}

/** A consent that the caller may not see is refused with the very words for one that does not exist. */
async function findVisibleConsent(broker: Broker, consentId: string, caller: Caller): Promise<Consent> {
  const notFound = new BrokerError(
    'CONSENT_NOT_FOUND',
    'there is no such consent, or it ended more than 24 hours ago',
  )
  const consent = await broker.getConsent(consentId).catch((error: unknown) => {
    throw error instanceof BrokerError && error.reason === 'CONSENT_NOT_FOUND' ? notFound : error
  })
  if (!isAllowed(caller.allow, 'GetConsent', consent)) throw notFound
  return consent
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

type ListRequest = Omit<ConnectionListRequest, 'visible'>

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

/** A provider that no rule shows lists like one without connections: the broker is not even asked for it. */
async function listVisibleConnections(
  broker: Broker,
  request: ListRequest,
  { allow }: Caller,
): Promise<ListConnectionsResponse> {
  const { provider } = request
  if (provider !== undefined && !mayKnowProvider(allow, 'ListConnections', provider))
    return { connections: [], nextPageToken: '' }
  return listPageThatFits(broker, {
    ...request,
    visible: name => isAllowed(allow, 'ListConnections', name),
  })
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
