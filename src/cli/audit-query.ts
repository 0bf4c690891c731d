import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './time.ts'

/** Which records are asked for. */
export interface AuditFilter {
  /** Undefined = from the first. */
  readonly since?: Date
  /** Undefined = to the last. */
  readonly until?: Date
  /** Empty = all. */
  readonly caller: string
  /** Empty = all. */
  readonly provider: string
  /** Undefined = all; empty = the system-level credential. */
  readonly account?: string
  /** Empty = all. */
  readonly event: string
}

/** Adds the options that {@link AuditFilter} is made of. */
export function addFilterOptions(command: Command, now: () => number): Command {
  const instant = (written: string) => parseInstant(written, now())
  return command
    .addOption(new Option('--since <when>', 'from then on: 24h, 7d, or a time').argParser(instant))
    .addOption(new Option('--until <when>', 'before then').argParser(instant))
    .addOption(new Option('--caller <name>', 'only what this caller did or was refused').default('', 'all'))
    .addOption(new Option('--provider <id>', 'only about this provider').default('', 'all'))
    .option('--account <account>', 'only about this account; "" is the system-level credential')
    .addOption(
      new Option('--event <name>', 'only this event, such as TOKEN_RELEASED')
        .argParser(eventName)
        .default('', 'all'),
    )
}

/** A moment: a length of time before now, a date (its first moment in UTC), or a time of RFC 3339. */
function parseInstant(written: string, now: number): Date {
  const ago = parseDuration(written)
  if (ago !== undefined) return new Date(now - ago)
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(written)
  const time = new Date(isTime ? written : Number.NaN)
  if (Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError(
      'Expected a duration such as 24h or 7d, or a time such as 2026-11-20T21:45:00Z.',
    )
  }
  return time
}

function eventName(written: string): string {
  return written.toUpperCase().replaceAll('-', '_')
}
