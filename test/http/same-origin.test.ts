import { describe, expect, it } from 'vitest'
import { isSameOrigin } from '../../src/http/same-origin.ts'

const OURS = 'https://broker.example'

describe('isSameOrigin()', () => {
  it.each([
    ['cross-site', OURS, false],
    ['same-site', OURS, false],
    ['none', OURS, false],
    ['same-origin', 'https://evil.example', false],
    ['same-origin', 'http://broker.example', false],
    ['same-origin', 'https://broker.example:444', false],
    [undefined, 'https://evil.example', false],
    [undefined, 'null', false],
    ['cross-site', undefined, false],
    ['same-origin', OURS, true],
    ['same-origin', 'null', true],
    ['same-origin', undefined, true],
    [undefined, OURS, true],
    [undefined, undefined, true],
  ])('with Sec-Fetch-Site %s and Origin %s is %s', (site, origin, expected) => {
    expect(isSameOrigin({ 'sec-fetch-site': site, origin }, OURS)).toBe(expected)
  })
})
