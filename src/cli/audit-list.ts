import type { AuditRecord } from '../gen/tokenbroker/v1/admin.ts'
import type { AuditFilter } from './audit-query.ts'
import { readRecords } from './audit-records.ts'
import { withBroker } from './client.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain, print, printJson, type Style, styleFor, table } from './output.ts'
import { formatInstant } from './time.ts'

export interface AuditListOptions extends AuditFilter {
  readonly limit: number
  readonly json?: boolean
}

/** Lists the newest records that fit. */
export async function auditList(options: AuditListOptions, io: Io): Promise<number> {
  const records = await withBroker(io, async broker => {
    const newest: AuditRecord[] = []
    for await (const record of readRecords(broker, options, { oldestFirst: false })) {
      newest.push(record)
      if (newest.length === options.limit) break
    }
    return newest
  })
  if (options.json) printJson(io, { records })
  else if (records.length === 0) note(io, 'No records.')
  else printRecords(records, io)
  return EXIT.ok
}

function printRecords(records: readonly AuditRecord[], io: Io): void {
  const style = styleFor(io.stdout, io.env)
  const headings = ['TIME', 'EVENT', 'OUTCOME', 'CALLER', 'PROVIDER', 'ACCOUNT', 'PEER', 'MORE']
  print(
    io,
    ...table(
      headings.map(heading => style('heading', heading)),
      records.map(record => row(record, style)),
    ),
  )
}

function row(record: AuditRecord, style: Style): string[] {
  const { time, event, outcome, caller, provider, account, peer } = record
  return [
    time ? formatInstant(time) : NONE,
    plain(event),
    style(outcome === 'SUCCEEDED' ? 'good' : 'bad', plain(outcome)),
    plain(caller) || NONE,
    plain(provider) || NONE,
    plain(account) || NONE,
    plain(peer) || NONE,
    plain(more(record)),
  ]
}

function more({ reason, count, details }: AuditRecord): string {
  const facts = Object.entries(details).map(([key, value]) => `${key}=${value}`)
  return [reason, count > 1 ? `×${count}` : '', ...facts].filter(Boolean).join(' ')
}

const NONE = '-'
