import { describe, expect, it } from 'vitest'
import { type DiagnosisInput, diagnose } from '../../src/broker/diagnosis.ts'
import { grantedRow } from '../../src/store/connection-changes.ts'
import type { ConnectionRow, StoredError } from '../../src/store/rows.ts'
import { sparseGrant } from '../store/samples.ts'

const NOW = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

function row(over: Partial<ConnectionRow> = {}): ConnectionRow {
  const granted = grantedRow(sparseGrant(), undefined)
  if (granted === undefined) throw new Error('the sample was not granted')
  const sealedRefreshToken = new Uint8Array([1])
  return { ...granted, sealedRefreshToken, obtainedAt: NOW, nextRefreshAt: NOW + MINUTE, ...over }
}

function diagnosis(over: Partial<ConnectionRow>, input: Partial<DiagnosisInput> = {}): string {
  const name = { provider: 'acme', account: '' }
  const known = row(over)
  return diagnose({
    ...{ state: known.state, row: known, name, hasStaticToken: false, needsRefreshToken: true },
    ...{ left: HOUR, now: NOW },
    ...input,
  })
}

function failed(failure: string, message: string): Partial<ConnectionRow> {
  const lastError: StoredError = {
    ...{ class: failure, reason: 'PROVIDER_UNAVAILABLE', providerCode: '', message, at: NOW },
  }
  return { lastError, failures: 1 }
}

describe('the diagnosis of an outcome that nobody knows', () => {
  const unknown = { outcomeUnknownSince: NOW - MINUTE }

  it('says what the last try brought', () => {
    expect(diagnosis({ ...unknown, ...failed('retry', 'the provider answered 503') })).toBe(
      'a refresh ended without a readable answer, so nobody knows whether the refresh token is used up; at the last try the provider answered 503; it is tried again first; the access token is still handed out for 60 min; next try in 60 s',
    )
    expect(diagnosis(unknown)).toMatch(
      /is used up; it is tried again first; the access token is still handed out/,
    )
  })

  it('does not call a refusal unreadable, nor deny what it may mean', () => {
    const sentence = diagnosis({
      ...unknown,
      ...failed('reauthorize', 'the provider answered 400 (invalid_grant)'),
    })
    expect(sentence).toBe(
      'the answer to a refresh was lost, and the provider refused the refresh token afterwards (the provider answered 400 (invalid_grant)): the lost answer may have held the next one; it is asked once more before anybody is told to consent; the access token is still handed out for 60 min; next try in 60 s',
    )
  })

  it.each([
    ['client', /is used up; since then the provider refuses our client id or secret \(X\)/],
    ['not_sent', /is used up; since then the provider cannot be reached \(X\)/],
    ['rate_limited', /is used up; since then the provider asked us to wait \(X\)/],
  ])('keeps apart what came after it: %s', (failure, expected) => {
    expect(diagnosis({ ...unknown, ...failed(failure, 'X') })).toMatch(expected)
  })
})

describe('the diagnosis of a dead grant', () => {
  const dead = { state: 'REAUTH_REQUIRED', stateReason: 'REVOKED' } as const

  it('does not praise an access token that the provider refuses', () => {
    const handedOut = 'the access token is still handed out for 60 min, but the provider refuses it'
    expect(diagnosis(dead)).toBe(
      `the grant was revoked: the provider refuses refresh token and living access token alike; ${handedOut}; a human has to consent again: token-broker connect acme`,
    )
    expect(diagnosis(dead, { left: 0 })).not.toMatch(/handed out/)
  })

  it('says how long a good one lasts, and nothing of ends that do not matter any more', () => {
    const ended = { ...dead, stateReason: 'GRANT_REFUSED', refreshExpiresAt: NOW + DAY }
    expect(diagnosis(ended)).toMatch(/; the access token is still handed out for 60 min; a human has to/)
  })
})

describe('the diagnosis of what ends soon', () => {
  const lapses = { obtainedAt: NOW - 46 * DAY, refreshExpiresAt: NOW + 14 * DAY - 1 }
  const sentence = 'refresh token lapses on 2026-01-14 unless a refresh succeeds before'

  it.each<[string, Partial<ConnectionRow>, Partial<DiagnosisInput>]>([
    ['works', {}, {}],
    ['fails', failed('retry', 'X'), {}],
    ['is unknown', { outcomeUnknownSince: NOW }, {}],
    ['is misconfigured', { state: 'CONNECTION_MISCONFIGURED', ...failed('connection', 'X') }, {}],
    ['is refused as a client', failed('client', 'X'), { state: 'PROVIDER_MISCONFIGURED' }],
    ['does not open', {}, { state: 'UNREADABLE' }],
  ])('names the refresh token’s end where it %s', (_, over, input) => {
    expect(diagnosis({ ...lapses, ...over }, input)).toContain(sentence)
    const grant = { grantExpiresAt: NOW + 13 * DAY, refreshExpiresAt: NOW + 13 * DAY }
    expect(diagnosis({ ...over, ...grant }, input)).toContain('grant ends on 2026-01-14 whatever is done')
  })

  it('begins 14 days ahead', () => {
    const early = { ...lapses, refreshExpiresAt: NOW + 14 * DAY }
    expect(diagnosis(early)).toBe('working; nothing to do')
    expect(diagnosis({ grantExpiresAt: NOW + 14 * DAY })).toBe('working; nothing to do')
  })

  it('begins with the last quarter of a refresh token that refreshes prolong, if that is later', () => {
    const obtainedAt = NOW - 6 * HOUR
    expect(diagnosis({ obtainedAt, refreshExpiresAt: NOW + 2 * HOUR })).toBe('working; nothing to do')
    const late = { obtainedAt, refreshExpiresAt: NOW + 2 * HOUR - 1 }
    expect(diagnosis(late)).toMatch(/^working, but the refresh token lapses on 2026-01-01 01:59 UTC unless/)
  })

  it('names what comes first', () => {
    const both = { ...lapses, grantExpiresAt: NOW + 10 * DAY }
    expect(diagnosis(both)).toMatch(/the grant ends on 2026-01-11 whatever is done/)
    expect(diagnosis({ ...both, refreshExpiresAt: NOW + 5 * DAY })).toMatch(
      /refresh token lapses on 2026-01-06/,
    )
  })

  it('says when it was, once it is over and nobody was refused yet', () => {
    const over = { ...failed('client', 'X'), obtainedAt: NOW - 60 * DAY, refreshExpiresAt: NOW - DAY }
    expect(diagnosis(over)).toMatch(/; the refresh token was to lapse on 2025-12-31/)
    expect(diagnosis({ grantExpiresAt: NOW - DAY })).toMatch(/the grant was to end on 2025-12-31/)
  })

  it('is nothing where there is no refresh token', () => {
    const without = { sealedRefreshToken: undefined, expiresAt: undefined, refreshExpiresAt: NOW + DAY }
    expect(diagnosis({ obtainedAt: NOW - 60 * DAY, ...without })).toBe('working; nothing to do')
  })
})
