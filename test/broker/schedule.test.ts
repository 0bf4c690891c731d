import { describe, expect, it } from 'vitest'
import { nextRefresh, USED_WITHIN_MS } from '../../src/broker/renewal/schedule.ts'
import { definitionSchema } from '../../src/providers/definition.ts'

const DAY = 86_400_000
const refresh = (written: object) =>
  definitionSchema.parse({ id: 'x', operations: {}, refresh: written }).refresh
const token = { obtainedAt: 0, expiresAt: 30 * DAY, lastUsedAt: 0, hasRefreshToken: true }

describe('nextRefresh()', () => {
  it('is a margin before expiry for a connection in use', () => {
    expect(nextRefresh(refresh({}), token, 0, 0)).toBe(27 * DAY)
  })

  it('is spread earlier by jitter, but not where a refresh kills the token that callers hold', () => {
    expect(nextRefresh(refresh({}), token, 0, 0.5)).toBe(27 * DAY - 0.3 * DAY)
    expect(nextRefresh(refresh({ kills_access_token: true }), token, 0, 0.5)).toBe(27 * DAY)
  })

  it.each([
    ['a week ago', USED_WITHIN_MS, 27 * DAY],
    ['a week and a millisecond ago', USED_WITHIN_MS + 1, undefined],
  ])('for a connection last used %s', (_, now, expected) => {
    expect(nextRefresh(refresh({}), token, now, 0)).toBe(expected)
  })

  it('keeps an unused refresh token alive', () => {
    expect(nextRefresh(refresh({ keep_alive: '20d' }), token, 8 * DAY, 0)).toBe(20 * DAY)
  })

  it('refreshes at half the life of a refresh token whose definition states nothing', () => {
    expect(nextRefresh(refresh({}), { ...token, refreshExpiresAt: 40 * DAY }, 8 * DAY, 0)).toBe(20 * DAY)
  })

  it('waits for the age that the provider demands', () => {
    const short = { ...token, expiresAt: DAY }
    expect(nextRefresh(refresh({ min_age: '24h' }), short, 0, 0)).toBe(DAY)
  })

  it('looks at a grant without refresh token when its access token ends', () => {
    expect(nextRefresh(refresh({}), { ...token, hasRefreshToken: false }, 0, 0)).toBe(30 * DAY)
  })

  it('never looks at a token without end that needs no keep-alive', () => {
    expect(nextRefresh(refresh({}), { ...token, expiresAt: undefined }, 0, 0)).toBeUndefined()
  })

  it('is not hurried by a refresh token whose stated end is past or near', () => {
    expect(nextRefresh(refresh({}), { ...token, refreshExpiresAt: -1 }, 0, 0)).toBe(27 * DAY)
    expect(nextRefresh(refresh({}), { ...token, refreshExpiresAt: 2_000 }, 0, 0)).toBe(27 * DAY)
  })
})
