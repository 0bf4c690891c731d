import type { ConnectionStatus } from '../gen/tokenbroker/v1/token_broker.ts'
import type { CliError } from './exit.ts'
import type { Io } from './io.ts'
import { plain, styleFor } from './output.ts'
import { connectionLabel, providerAccount } from './status-view.ts'
import { statusToJson } from './to-json.ts'

/** What became of one grant. */
export interface Imported {
  readonly provider: string
  readonly account: string
  /** Where it begins in the input, from 1. */
  readonly line: number
  /** Absent if it was not taken. */
  readonly outcome?: 'IMPORTED' | 'ALREADY_THERE' | 'REFRESH_FAILED'
  readonly status?: ConnectionStatus
  readonly note?: string
  /** Why it was not taken. */
  readonly error?: CliError
}

/** One grant for a person: what became of it, then what to do. */
export function reportLine(result: Imported, io: Io): string[] {
  const { status, outcome, error, note = '' } = result
  const style = styleFor(io.stdout, io.env)
  const label = connectionLabel(result)
  if (error !== undefined) {
    const reason = error.reason === '' ? '' : ` (${error.reason})`
    const why = plain(`line ${result.line}: not taken: ${error.message}${reason}`)
    return [`${style('bad', label)}: ${why}`, ...error.help.map(line => `  help: ${plain(line)}`)]
  }
  if (outcome === 'REFRESH_FAILED') return [`${style('bad', label)}: ${plain(note)}`]
  const whose = status && providerAccount(status)
  const what = outcome === 'ALREADY_THERE' ? 'already there, nothing was changed' : 'imported'
  const lines = [`${style('good', label)}: ${what}${whose === undefined ? '' : `, as ${whose}`}`]
  if (note !== '') lines.push(`  note: ${plain(note)}`)
  if (status?.healthy === false) lines.push(`  ${plain(status.diagnosis)}`)
  return lines
}

/** The last line of many. */
export function summaryLine(all: number, taken: number): string {
  const left = all - taken
  return `${taken} of ${all} taken${left === 0 ? '' : `, ${left} not; repeat the import with what was not`}`
}

/** What `--json` prints. */
export function importedToJson(results: readonly Imported[], taken: number): object {
  return {
    taken,
    results: results.map(({ status, error, ...result }) => ({
      ...result,
      status: status && statusToJson(status),
      error: error && {
        message: error.message,
        ...(error.reason !== '' && { reason: error.reason }),
        ...(error.help.length > 0 && { help: error.help }),
        retryAfterMs: error.retryAfterMs,
      },
    })),
  }
}
