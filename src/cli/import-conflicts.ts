import type { GrantRecord } from './import-records.ts'

/** Lines that a refusal names; an input where nobody wrote accounts has thousands for the same one. */
const LINES_NAMED_MAX = 5

type Grant = Extract<GrantRecord, { readonly kind: 'grant' }>

/**
 * Refuses different grants for one account: which of them lives, nobody knows, and the last one would take the place
 * of the others, or the first one keep it. A grant that stands there twice is no conflict.
 *
 * @returns the records in their order, those in conflict as unusable
 */
export function withoutConflicts(records: readonly GrantRecord[]): GrantRecord[] {
  const conflicting = conflictsOf(records.filter(record => record.kind === 'grant'))
  return records.map(record => {
    const lines = record.kind === 'grant' ? conflicting.get(record.account) : undefined
    if (lines === undefined) return record
    const why = `${linesOf(lines)} bring different grants for this account: leave the one that is in use`
    return { kind: 'unusable', line: record.line, account: record.account, why }
  })
}

/** Account -> where its grants begin, for those that have different ones. */
function conflictsOf(grants: readonly Grant[]): ReadonlyMap<string, readonly number[]> {
  const byAccount = Map.groupBy(grants, ({ account }) => account)
  const different = [...byAccount].filter(([, same]) => new Set(same.map(credentialOf)).size > 1)
  return new Map(different.map(([account, same]) => [account, same.map(({ line }) => line)]))
}

/** What the broker, too, knows a grant by. */
function credentialOf({ accessToken, refreshToken }: Grant): string {
  return JSON.stringify(refreshToken ? ['refresh', refreshToken.expose()] : ['access', accessToken.expose()])
}

function linesOf(lines: readonly number[]): string {
  const more = lines.length - LINES_NAMED_MAX
  const named = more > 0 ? lines.slice(0, LINES_NAMED_MAX) : lines.slice(0, -1)
  return `lines ${named.join(', ')} and ${more > 0 ? `${more} more` : lines.at(-1)}`
}
