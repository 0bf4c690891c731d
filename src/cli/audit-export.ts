import { lineOf } from '../audit/line.ts'
import type { AuditFilter } from './audit-query.ts'
import { readRecords } from './audit-records.ts'
import { withBroker } from './client.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { print } from './output.ts'

/** Prints all records that fit as NDJSON, as the copy of `audit: {copy: …}` has them, page by page. */
export async function auditExport(filter: AuditFilter, io: Io): Promise<number> {
  await withBroker(io, async broker => {
    for await (const { time, ...record } of readRecords(broker, filter, { oldestFirst: true })) {
      print(io, lineOf({ ...record, time: time?.getTime() ?? 0 }))
    }
  })
  return EXIT.ok
}
