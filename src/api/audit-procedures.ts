import type { AuditList, AuditListRequest, AuditReader, FoundReleases } from '../broker/audit/reader.ts'
import { isVisible } from '../broker/policy/policy.ts'
import type {
  AdminServiceService,
  FindReleasesRequest,
  FindReleasesResponse,
  ListAuditRecordsRequest,
} from '../gen/tokenbroker/v1/admin.ts'
import { ListAuditRecordsResponse } from '../gen/tokenbroker/v1/admin.ts'
import { Secret } from '../secret.ts'
import { anywhere } from './authorization.ts'
import { type Procedures, rpc } from './handler.ts'
import { SEND_BYTES_MAX } from './limits.ts'
import {
  auditEventFault,
  nameFault,
  pageSizeFault,
  pageTokenFault,
  providerFault,
  refuseFaults,
  timeFault,
  tokenFault,
} from './validation.ts'

const PAGE_SIZE_DEFAULT = 100
/** Records in one page, as the `.proto` file says. */
const PAGE_SIZE_MAX = 1_000

/** The procedures of `AdminService` that read the audit. */
export function createAuditProcedures(
  broker: AuditReader,
): Pick<Procedures<typeof AdminServiceService>, 'listAuditRecords' | 'findReleases'> {
  return {
    listAuditRecords: rpc({
      allows: anywhere,
      parse: listRequestFromProto,
      run: (request, { caller }) =>
        listPageThatFits(broker, {
          ...request,
          visible: name => isVisible(caller.allow, 'ListAuditRecords', name),
        }),
    }),
    findReleases: rpc({
      allows: anywhere,
      parse: tokenFromProto,
      run: async (token, { caller }) => {
        const visible = (name: Parameters<typeof isVisible>[2]) =>
          isVisible(caller.allow, 'FindReleases', name)
        return foundReleasesToProto(await broker.findReleases({ token, caller, visible }))
      },
    }),
  }
}

function tokenFromProto({ accessToken }: FindReleasesRequest): Secret {
  refuseFaults({ access_token: tokenFault(accessToken) })
  return new Secret(accessToken)
}

function listRequestFromProto(request: ListAuditRecordsRequest): Omit<AuditListRequest, 'visible'> {
  const { startTime, endTime, caller, provider, accountFilter, event, oldestFirst, pageSize, pageToken } =
    request
  const account = accountFilter?.value
  refuseFaults({
    start_time: timeFault(startTime),
    end_time: timeFault(endTime),
    caller: nameFault(caller),
    provider: provider === '' ? undefined : providerFault(provider),
    account: account === undefined ? undefined : nameFault(account),
    event: event === '' ? undefined : auditEventFault(event),
    page_size: pageSizeFault(pageSize),
    page_token: pageTokenFault(pageToken),
  })
  return {
    from: startTime?.getTime(),
    until: endTime?.getTime(),
    caller: caller || undefined,
    provider: provider || undefined,
    account,
    event: event || undefined,
    oldestFirst,
    pageSize: Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX),
    pageToken,
  }
}

/** A page may hold less than was asked for; halving it keeps a page of long records sendable. */
async function listPageThatFits(
  broker: Pick<AuditReader, 'listAuditRecords'>,
  request: AuditListRequest,
): Promise<ListAuditRecordsResponse> {
  const page = auditListToProto(await broker.listAuditRecords(request))
  const fits = ListAuditRecordsResponse.encode(page).finish().byteLength <= SEND_BYTES_MAX
  if (fits || request.pageSize === 1) return page
  return listPageThatFits(broker, { ...request, pageSize: Math.ceil(request.pageSize / 2) })
}

function auditListToProto({ records, nextPageToken }: AuditList): ListAuditRecordsResponse {
  return {
    records: records.map(({ time, details, ...record }) => ({
      ...record,
      time: new Date(time),
      details: { ...details },
    })),
    nextPageToken,
  }
}

function foundReleasesToProto({ fingerprint, releases }: FoundReleases): FindReleasesResponse {
  return {
    fingerprint,
    releases: releases.map(({ firstAt, lastAt, fingerprint: _, ...release }) => ({
      ...release,
      firstTime: new Date(firstAt),
      lastTime: new Date(lastAt),
    })),
  }
}
