import { AdminServiceService, ImportCheck, ImportOutcome } from '../gen/tokenbroker/v1/admin.ts'
import { type BrokerClient, PROVIDER_CALL_DEADLINE_MS, withBroker } from './client.ts'
import { CliError, EXIT, usageError } from './exit.ts'
import { withoutConflicts } from './import-conflicts.ts'
import { type GrantRecord, readRecords } from './import-records.ts'
import { type Imported, importedToJson, reportLine, summaryLine } from './import-report.ts'
import { readImportText } from './import-source.ts'
import type { Io } from './io.ts'
import { print, printJson } from './output.ts'

export interface ImportOptions {
  readonly provider: string
  /** Absent = the one that the input names, else the system-level credential. */
  readonly account?: string
  readonly check?: 'verify' | 'refresh'
  /** The input's access tokens are tokens that the provider turns into grants first. */
  readonly migrationToken?: boolean
  readonly replace?: boolean
  readonly json?: boolean
}

/**
 * Takes over grants that another system obtained, one after the other, and reports each. Tokens come from a file or
 * from stdin, never from the command line, which every process of the machine can read.
 *
 * @param file absent or `-` = stdin
 */
export async function importGrants(
  file: string | undefined,
  options: ImportOptions,
  io: Io,
): Promise<number> {
  const records = withoutConflicts(readRecords(await readImportText(file, io)))
  if (records.length === 0) throw usageError('there is no token in the input')
  if (options.account !== undefined && records.length > 1) {
    throw usageError(`--account names one connection, and the input has ${records.length} grants`)
  }
  const results: Imported[] = []
  await withBroker(io, async broker => {
    for (const record of records) {
      const result = await importOne(broker, record, options, results.length === 0)
      results.push(result)
      if (!options.json) print(io, ...reportLine(result, io))
    }
  })
  const taken = results.filter(({ error, outcome }) => error === undefined && outcome !== 'REFRESH_FAILED')
  if (options.json) printJson(io, importedToJson(results, taken.length))
  else if (results.length > 1) print(io, summaryLine(results.length, taken.length))
  return taken.length === results.length ? EXIT.ok : EXIT.negative
}

async function importOne(
  broker: BrokerClient,
  record: GrantRecord,
  options: ImportOptions,
  first: boolean,
): Promise<Imported> {
  const { provider } = options
  const account = options.account ?? record.account
  const base = { provider, account, line: record.line }
  if (record.kind === 'unusable') return { ...base, error: new CliError(EXIT.negative, record.why) }
  try {
    const { status, outcome, note } = await broker.call(
      AdminServiceService.importConnection,
      { ...requestOf(record, options), provider, account },
      PROVIDER_CALL_DEADLINE_MS,
    )
    return { ...base, status, outcome: outcomeName(outcome), note }
  } catch (error) {
    // Where nobody answers at all there is nothing to report yet.
    if (!(error instanceof CliError) || (first && concernsAll(error))) throw error
    return { ...base, error }
  }
}

function concernsAll({ exitCode, reason }: CliError): boolean {
  return reason === '' || exitCode === EXIT.notPermitted || reason === 'PROVIDER_NOT_FOUND'
}

function requestOf(
  record: Extract<GrantRecord, { readonly kind: 'grant' }>,
  { check, replace, migrationToken }: ImportOptions,
) {
  const $case = migrationToken ? 'migrationToken' : 'accessToken'
  return {
    credential: { $case, value: record.accessToken.expose() } as const,
    refreshToken: record.refreshToken?.expose() ?? '',
    expireTime: record.expireTime,
    refreshExpireTime: record.refreshExpireTime,
    scopes: [...record.scopes],
    providerAccountId: record.providerAccountId,
    variables: record.variables,
    attributes: record.attributes,
    check: CHECKS[check ?? 'none'],
    replace: replace ?? false,
  }
}

const CHECKS = {
  none: ImportCheck.UNSPECIFIED,
  verify: ImportCheck.VERIFY,
  refresh: ImportCheck.REFRESH,
} as const

function outcomeName(outcome: ImportOutcome): NonNullable<Imported['outcome']> {
  switch (outcome) {
    case ImportOutcome.ALREADY_THERE:
      return 'ALREADY_THERE'
    case ImportOutcome.REFRESH_FAILED:
      return 'REFRESH_FAILED'
    default:
      return 'IMPORTED'
  }
}
