import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../../src/sandbox/bounded-map.ts'
import { createState, type Grant, type RefreshToken } from '../../src/sandbox/state.ts'

function grant(id: string): Grant {
  const account = { id: 'user', name: 'User' }
  const kind = 'authorization_code'
  return { id, kind, clientId: 'app', account, scopes: [], createdAt: 0, accessTokens: [], refreshTokens: [] }
}

function refreshToken(value: string, of: Grant): RefreshToken {
  return { value, grant: of, issuedAt: 0, successors: [], uses: 0, touched: false }
}

describe('BoundedMap', () => {
  it('forgets the oldest entry beyond its limit, and says which', () => {
    const forgotten: number[] = []
    const map = new BoundedMap<number>(2, value => forgotten.push(value))

    for (const value of [1, 2, 3]) map.set(String(value), value)

    expect([...map.values()]).toEqual([2, 3])
    expect(forgotten).toEqual([1])
  })

  it('forgets nothing when an entry is replaced', () => {
    const map = new BoundedMap<number>(2)

    for (const value of [1, 2, 3]) map.set(String(value % 2), value)

    expect([...map.values()]).toEqual([3, 2])
  })
})

describe('createState()', () => {
  it('remembers the newest thousand tokens of a grant', () => {
    const state = createState()
    const of = grant('g')

    for (let number = 0; number <= 1_000; number += 1) state.addRefreshToken(refreshToken(`t${number}`, of))

    expect(of.refreshTokens).toHaveLength(1_000)
    expect(state.refreshToken('t0')).toBeUndefined()
    expect(state.refreshToken('t1')).toBeDefined()
  })

  it('forgets the tokens of a grant that it forgets', () => {
    const state = createState()
    const oldest = grant('oldest')
    state.grants.set(oldest.id, oldest)
    state.addRefreshToken(refreshToken('t', oldest))

    for (let number = 0; number < 200_000; number += 1) state.grants.set(String(number), oldest)

    expect(state.grants.get('oldest')).toBeUndefined()
    expect(state.refreshToken('t')).toBeUndefined()
  })

  it('keeps a refresh token that a later grant shares', () => {
    const state = createState()
    const [oldest, later] = [grant('oldest'), grant('later')]
    state.grants.set(oldest.id, oldest)
    state.addRefreshToken(refreshToken('shared', oldest))
    state.addRefreshToken(refreshToken('shared', later))

    for (let number = 0; number < 200_000; number += 1) state.grants.set(String(number), later)

    expect(state.grants.get('oldest')).toBeUndefined()
    expect(state.refreshToken('shared')?.grant).toBe(later)
  })
})
