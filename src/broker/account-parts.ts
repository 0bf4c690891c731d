/** Accounts that follow one another in the order of the store. */
export type AccountPart =
  /** This one alone. */
  | { readonly kind: 'one'; readonly account: string }
  /** Those after the one and before the other; absent = to the last. */
  | { readonly kind: 'between'; readonly after: string; readonly before?: string }

/** More parts of one provider than that are not looked up one by one: reading all of its connections costs less. */
const PARTS_MAX = 1_000
const EVERYTHING: readonly AccountPart[] = partsOf('')
/** Code points that UTF-8 has no bytes for. */
const SURROGATES = { first: 0xd800, afterLast: 0xe000 }
const LAST_CODE_POINT = 0x10ffff

/**
 * Where the accounts lie that patterns match, which are exact or end in `*`: in order and apart from one another, so
 * that a list is made of lookups and ranges. May be more than what is matched.
 */
export function accountParts(patterns: readonly string[]): readonly AccountPart[] {
  if (patterns.includes('*') || patterns.length > PARTS_MAX) return EVERYTHING
  const parts: AccountPart[] = []
  let covering: string | undefined
  let last: string | undefined
  for (const { account, isBeginning } of patterns.map(readPattern).sort(byAccount)) {
    const isCovered = account === last || (covering !== undefined && account.startsWith(covering))
    if (isCovered) continue
    last = account
    if (isBeginning) covering = account
    parts.push(...(isBeginning ? partsOf(account) : [{ kind: 'one', account } as const]))
  }
  return parts
}

interface Pattern {
  readonly account: string
  readonly isBeginning: boolean
}

function readPattern(pattern: string): Pattern {
  const isBeginning = pattern.endsWith('*')
  return { account: isBeginning ? pattern.slice(0, -1) : pattern, isBeginning }
}

/** Of the same text the beginning comes first: it covers the other. What is covered follows at once. */
function byAccount(left: Pattern, right: Pattern): number {
  return compareAccounts(left.account, right.account) || Number(right.isBeginning) - Number(left.isBeginning)
}

/** The order of the store: by bytes. */
export function compareAccounts(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** The accounts that begin like that. */
function partsOf(beginning: string): AccountPart[] {
  return [
    { kind: 'one', account: beginning },
    { kind: 'between', after: beginning, before: endOf(beginning) },
  ]
}

/** What comes first after everything that begins like that; undefined if nothing can. */
function endOf(beginning: string): string | undefined {
  const points = [...beginning]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0
    if (point === LAST_CODE_POINT) continue
    const next = point + 1 === SURROGATES.first ? SURROGATES.afterLast : point + 1
    return points.join('') + String.fromCodePoint(next)
  }
  return undefined
}
