import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AccountPart, accountParts, compareAccounts } from '../../src/broker/account-parts.ts'
import { matchesAny } from '../../src/broker/policy/policy.ts'

const one = (account: string): AccountPart => ({ kind: 'one', account })
const between = (after: string, before?: string): AccountPart => ({ kind: 'between', after, before })

function has(part: AccountPart, account: string): boolean {
  if (part.kind === 'one') return part.account === account
  const isBefore = part.before === undefined || compareAccounts(account, part.before) < 0
  return compareAccounts(account, part.after) > 0 && isBefore
}

/** Few letters, so that patterns meet; at both ends of what UTF-8 has bytes for, and where UTF-16 sorts otherwise. */
const account = fc
  .array(fc.constantFrom('a', 'b', ' ', '\ud7ff', '\uff5a', '\u{1f600}', '\u{10ffff}'), { maxLength: 4 })
  .map(letters => letters.join(''))
const pattern = fc.oneof(
  account,
  account.map(beginning => `${beginning}*`),
)

describe('accountParts()', () => {
  it.each<[string, string[], AccountPart[]]>([
    ['nothing', [], []],
    ['the system account', [''], [one('')]],
    ['accounts, each once and in order', ['b', 'a', 'b'], [one('a'), one('b')]],
    ['a beginning', ['shop-*'], [one('shop-'), between('shop-', 'shop.')]],
    ['what a beginning covers', ['ab', 'a*', 'abc*', 'b'], [one('a'), between('a', 'b'), one('b')]],
    ['a beginning before the surrogates', ['\ud7ff*'], [one('\ud7ff'), between('\ud7ff', '\ue000')]],
    ['a beginning with the last letter', ['a\u{10ffff}*'], [one('a\u{10ffff}'), between('a\u{10ffff}', 'b')]],
    ['a beginning with nothing behind it', ['\u{10ffff}*'], [one('\u{10ffff}'), between('\u{10ffff}')]],
    ['everything', ['a', '*', 'b*'], [one(''), between('')]],
    ['more than is worth it', Array.from({ length: 1_001 }, (_, nth) => `a${nth}`), [one(''), between('')]],
  ])('of %s', (_, patterns, parts) => {
    expect(accountParts(patterns)).toEqual(parts)
  })

  it('has what the patterns match, nothing else, and nothing twice', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), account, (patterns, name) => {
        const found = accountParts(patterns).filter(part => has(part, name))
        expect(found).toHaveLength(matchesAny(patterns, name) ? 1 : 0)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is in the order of bytes', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), fc.array(account), (patterns, names) => {
        const inParts = accountParts(patterns).flatMap(part =>
          [...new Set(names)].sort(compareAccounts).filter(name => has(part, name)),
        )
        expect(inParts).toEqual(inParts.toSorted(compareAccounts))
      }),
      { numRuns: 1_000 },
    )
  })
})
