import { AdminServiceService, type AuditRecord } from '../gen/tokenbroker/v1/admin.ts'
import type { AuditFilter } from './audit-query.ts'
import type { BrokerClient } from './client.ts'
import { CliError, EXIT } from './exit.ts'

/** Far below the 4 MiB that gRPC takes as one message. */
const PAGE_SIZE = 500
/** A year of a busy broker; more means that a broker repeats its pages. */
const PAGES_MAX = 10_000_000

/** Reads records page by page, so that only one page is in memory. */
export async function* readRecords(
  broker: BrokerClient,
  filter: AuditFilter,
  { oldestFirst }: { readonly oldestFirst: boolean },
): AsyncGenerator<AuditRecord> {
  const { since, until, account, caller, provider, event } = filter
  let pageToken = ''
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await broker.call(AdminServiceService.listAuditRecords, {
      startTime: since,
      endTime: until,
      caller,
      provider,
      accountFilter: account === undefined ? undefined : { $case: 'account', value: account },
      event,
      oldestFirst,
      pageSize: PAGE_SIZE,
      pageToken,
    })
    yield* page.records
    pageToken = page.nextPageToken
    if (pageToken === '') return
  }
  throw new CliError(EXIT.negative, `the broker's list did not end after ${PAGES_MAX} pages`)
}
