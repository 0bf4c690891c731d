import { describe, expect, it } from 'vitest'
import { judge, REFRESH_TOKEN_KEPT_MS } from '../../src/broker/refresh/verdict.ts'
import type { Failure } from '../../src/oauth/failure.ts'
import { grantedRow } from '../../src/store/connection-changes.ts'
import type { ConnectionRow } from '../../src/store/rows.ts'
import { sparseGrant } from '../store/samples.ts'

const NOW = Date.UTC(2026, 0, 1)
const quiet = { now: NOW, fraction: 0, held: false, clockJumped: false }

function failure(over: Partial<Failure>): Failure {
  return { class: 'retry', outcomeUnknown: false, providerCode: '', message: '', ...over }
}
const refusal = failure({ class: 'reauthorize' })

function row(over: Partial<ConnectionRow> = {}): ConnectionRow {
  const granted = grantedRow(sparseGrant(), undefined)
  if (granted === undefined) throw new Error('the sample was not granted')
  return { ...granted, ...over }
}
const refusedOnce = (over: Partial<ConnectionRow> = {}) =>
  row({
    lastError: { class: 'reauthorize', reason: 'PROVIDER_UNAVAILABLE', providerCode: '', message: '', at: 0 },
    nextRefreshAt: NOW,
    ...over,
  })

describe('what never changes a state', () => {
  it.each<[string, Partial<Failure>]>([
    ['an outage', { class: 'retry', outcomeUnknown: true }],
    ['an unreachable provider', { class: 'not_sent' }],
    ['a limit', { class: 'rate_limited' }],
    ['a wrong client secret', { class: 'client' }],
    ['an ambiguous refusal', { class: 'ambiguous' }],
  ])('%s', (_, over) => {
    expect(judge(row(), failure(over), quiet)).toMatchObject({ state: 'ACTIVE', stateReason: '' })
    const dead = row({ state: 'REAUTH_REQUIRED', stateReason: 'REVOKED' })
    expect(judge(dead, failure(over), quiet)).toMatchObject({
      state: 'REAUTH_REQUIRED',
      stateReason: 'REVOKED',
    })
  })
})

describe('an unknown outcome', () => {
  it('is tried again faster than the shortest replay window ends', () => {
    const delays = [0, 1, 2, 3, 4, 5, 6].map(outcomeUnknownTries => {
      const verdict = judge(row({ outcomeUnknownTries }), failure({ outcomeUnknown: true }), quiet)
      return (verdict.nextRefreshAt ?? 0) - NOW
    })
    expect(delays).toEqual([200, 1_000, 3_000, 10_000, 25_000, 30_000, 30_000])
  })

  it('is tried again in time, whatever a 503 asks for', () => {
    const patient = failure({ outcomeUnknown: true, retryAfterMs: 120_000 })
    expect(judge(row(), patient, quiet).nextRefreshAt).toBe(NOW + 200)
    expect(judge(row(), failure({ retryAfterMs: 120_000 }), quiet).nextRefreshAt).toBe(NOW + 120_000)
  })

  it('makes a refusal the loss that was feared, confirmed a second later', () => {
    const unknown = { outcomeUnknownSince: NOW - 5_000 }
    const first = judge(row(unknown), refusal, quiet)
    expect(first).toMatchObject({ state: 'ACTIVE', nextRefreshAt: NOW + 1_000 })
    const second = judge(refusedOnce(unknown), refusal, quiet)
    expect(second).toMatchObject({ state: 'REAUTH_REQUIRED', stateReason: 'OUTCOME_LOST' })
  })
})

describe('a refused grant', () => {
  it('is asked again half a minute later', () => {
    expect(judge(row(), refusal, quiet)).toMatchObject({
      state: 'ACTIVE',
      reason: 'PROVIDER_UNAVAILABLE',
      nextRefreshAt: NOW + 30_000,
    })
  })

  it('is not dead by a second refusal that comes too early, which delays nothing', () => {
    const verdict = judge(refusedOnce({ nextRefreshAt: NOW + 1 }), refusal, quiet)
    expect(verdict).toMatchObject({ state: 'ACTIVE', nextRefreshAt: NOW + 1 })
  })

  it('is not dead by a second refusal that only a jump of the clock makes late', () => {
    const verdict = judge(refusedOnce(), refusal, { ...quiet, refusedForMs: 4_000 })
    expect(verdict).toMatchObject({ state: 'ACTIVE', nextRefreshAt: NOW + 26_000 })
    expect(judge(refusedOnce(), refusal, { ...quiet, refusedForMs: 30_000 })).toMatchObject({
      state: 'REAUTH_REQUIRED',
    })
  })

  it('is asked again half a minute later, though the clock was set back after the first refusal', () => {
    const verdict = judge(refusedOnce({ nextRefreshAt: NOW + 3_600_000 }), refusal, quiet)
    expect(verdict).toMatchObject({ state: 'ACTIVE', nextRefreshAt: NOW + 30_000 })
  })

  it.each([
    ['nothing tells why', undefined, {}, 'GRANT_REFUSED'],
    ['its access token works', 'works', {}, 'ROTATED_ELSEWHERE'],
    ['its access token is refused, too', 'refused', {}, 'REVOKED'],
    ['its refresh token was past its end', 'unknown', { refreshExpiresAt: NOW }, 'IDLE_EXPIRED'],
  ] as const)('is dead by the second, and says so: %s', (_, accessToken, over, stateReason) => {
    const evidence = accessToken && ({ accessToken, others: 'unknown' } as const)
    const verdict = judge(refusedOnce(over), refusal, { ...quiet, evidence })
    expect(verdict).toMatchObject({ state: 'REAUTH_REQUIRED', stateReason, nextRefreshAt: NOW + 600_000 })
  })

  it('is dead by the first where it is past its stated end', () => {
    expect(judge(row({ grantExpiresAt: NOW }), refusal, quiet)).toMatchObject({ stateReason: 'GRANT_ENDED' })
    expect(judge(row({ grantExpiresAt: NOW + 1 }), refusal, quiet)).toMatchObject({ state: 'ACTIVE' })
  })

  it('is past no stated end by a clock that has jumped', () => {
    const jumped = { ...quiet, clockJumped: true }
    const verdict = judge(row({ grantExpiresAt: NOW }), refusal, jumped)
    expect(verdict).toMatchObject({ state: 'ACTIVE', nextRefreshAt: NOW + 30_000 })
    const ended = { grantExpiresAt: NOW, refreshExpiresAt: NOW }
    expect(judge(refusedOnce(ended), refusal, jumped)).toMatchObject({ stateReason: 'GRANT_REFUSED' })
  })

  it('is not believed while everybody is refused, unless that was to be feared', () => {
    const held = { ...quiet, held: true }
    expect(judge(refusedOnce(), refusal, held)).toMatchObject({
      state: 'ACTIVE',
      nextRefreshAt: NOW + 60_000,
    })
    const lost = refusedOnce({ outcomeUnknownSince: NOW - 1 })
    expect(judge(lost, refusal, held)).toMatchObject({ state: 'REAUTH_REQUIRED' })
  })

  it('is asked again after 10 minutes, an hour and a day, then kept for 30 days', () => {
    const after = (ms: number) => {
      const dead = row({ state: 'REAUTH_REQUIRED', stateReason: 'REVOKED', stateSince: NOW })
      const verdict = judge(dead, refusal, { ...quiet, now: NOW + ms })
      expect(verdict.stateReason).toBe('REVOKED')
      return (verdict.nextRefreshAt ?? 0) - NOW
    }
    expect([600_000, 3_600_000, 86_400_000].map(after)).toEqual([
      3_600_000,
      86_400_000,
      REFRESH_TOKEN_KEPT_MS,
    ])
  })
})
