import { describe, expect, it } from 'vitest'
import { didYouMean } from '../../src/config/suggest.ts'

const KNOWN = ['client_id', 'client_secret', 'scopes', 'ca', 'environment']

describe('didYouMean()', () => {
  it.each([
    ['one letter missing', 'clientid', 'client_id'],
    ['two letters more', 'scopesss', 'scopes'],
    ['two neighbours swapped', 'csopes', 'scopes'],
    ['another case', 'Client_ID', 'client_id'],
    ['the nearest of two', 'client_ids', 'client_id'],
    ['two swaps', 'nevironmetn', 'environment'],
  ])('finds a word with %s', (_, word, meant) => {
    expect(didYouMean(word, KNOWN)).toBe(`; did you mean "${meant}"?`)
  })

  it.each([['scop'.padEnd(9, 'x')], ['xx'], ['cb'], ['envrnmnt'], ['']])('does not guess at %j', word => {
    expect(didYouMean(word, KNOWN)).toBe('')
  })
})
