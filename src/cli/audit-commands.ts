import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AuditFindOptions } from './audit-find.ts'
import type { AuditListOptions } from './audit-list.ts'
import { type AuditFilter, addFilterOptions } from './audit-query.ts'
import type { Finish } from './client-commands.ts'
import { json } from './common-options.ts'
import type { Io } from './io.ts'

/** Records that `audit list` prints unless it is told otherwise. */
const LIST_LIMIT = 50
const LIST_LIMIT_MAX = 100_000

/** Adds the commands that read the audit of a running broker. */
export function addAuditCommands(program: Command, io: Io, finish: Finish): void {
  const audit = program.command('audit').description('find out who was given what, and who did what')
  audit
    .command('find')
    .description('who has had this access token? exit code 1 if nobody; the search is recorded')
    .addOption(new Option('--token <->', 'the token comes from stdin').default('-'))
    .addOption(json())
    .action(async (options: AuditFindOptions) => {
      const { auditFind } = await import('./audit-find.ts')
      finish(await auditFind(options, io))
    })
  addFilterOptions(audit.command('list').description('list records, the newest first'), io.now)
    .addOption(new Option('--limit <count>', 'how many at the most').argParser(limit).default(LIST_LIMIT))
    .addOption(json())
    .action(async (options: AuditListOptions) => {
      const { auditList } = await import('./audit-list.ts')
      finish(await auditList(options, io))
    })
  addFilterOptions(
    audit.command('export').description('print all records, the oldest first, one JSON document per line'),
    io.now,
  ).action(async (options: AuditFilter) => {
    const { auditExport } = await import('./audit-export.ts')
    finish(await auditExport(options, io))
  })
}

function limit(written: string): number {
  const count = /^\d{1,6}$/.test(written) ? Number(written) : 0
  if (count < 1 || count > LIST_LIMIT_MAX) {
    throw new InvalidArgumentError(`Expected a number from 1 to ${LIST_LIMIT_MAX}.`)
  }
  return count
}
