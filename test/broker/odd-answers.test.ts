import { describe, expect, it } from 'vitest'
import { FAULT_ANSWERS, type FaultInput } from '../../src/sandbox/fault.ts'
import { createSandboxWorld } from './sandbox-world.ts'

type FaultAnswer = (typeof FAULT_ANSWERS)[number]

/** What one answer of the token endpoint means to the refresh that it answers. */
interface Row {
  /** What else the fault says. */
  readonly with?: object
  /** What the caller gets: a token, or this reason. */
  readonly told: 'a token' | 'PROVIDER_UNAVAILABLE' | 'PROVIDER_MISCONFIGURED'
  /**
   * What is known of the refresh token: `kept`: the stored one was not used up. `unknown`: it may have been, which is
   * stored, so that the refresh is repeated within the provider's window. `replaced`: the next one is stored.
   */
  readonly left: 'kept' | 'unknown' | 'replaced'
  /** Whether the answer never comes whole, so that only the deadline ends the request. */
  readonly hangs?: true
}

const UNKNOWN: Row = { told: 'PROVIDER_UNAVAILABLE', left: 'unknown' }
const KEPT: Row = { told: 'PROVIDER_UNAVAILABLE', left: 'kept' }
const NOT_US: Row = { told: 'PROVIDER_MISCONFIGURED', left: 'kept' }
const TAKEN: Row = { told: 'a token', left: 'replaced' }
const acted = { with: { acts: true } }

/** A fault without a row is no program, and fails the first test. */
const TABLE: Readonly<Record<FaultAnswer, readonly Row[]>> = {
  normal: [
    TAKEN,
    { ...UNKNOWN, with: { delayBeforeMs: 5_000 }, hangs: true },
    { ...UNKNOWN, with: { delayAfterMs: 5_000 }, hangs: true },
  ],
  drop: [UNKNOWN, { ...UNKNOWN, ...acted }],
  reset: [UNKNOWN, { ...UNKNOWN, ...acted }],
  empty: [UNKNOWN, { ...UNKNOWN, ...acted }],
  no_content: [UNKNOWN, { ...UNKNOWN, ...acted }],
  drip: [
    { ...UNKNOWN, hangs: true },
    { ...UNKNOWN, ...acted, hangs: true },
  ],
  status: [
    UNKNOWN,
    { ...UNKNOWN, ...acted },
    { ...KEPT, with: { status: 429, retryAfter: 1 } },
    { ...KEPT, with: { status: 400 } },
    { ...KEPT, with: { status: 404 } },
  ],
  html: [
    UNKNOWN,
    { ...UNKNOWN, ...acted },
    { ...UNKNOWN, with: { status: 502 } },
    { ...KEPT, with: { status: 403 } },
    { ...NOT_US, with: { status: 404 } },
  ],
  redirect: [NOT_US, { ...NOT_US, with: { status: 302, location: 'https://login.example/' } }],
  canned: [
    { ...UNKNOWN, with: { body: '<?xml version="1.0"?><token/>', contentType: 'text/xml' } },
    { ...UNKNOWN, with: { body: '[]', acts: true } },
    { ...UNKNOWN, with: { body: '{"access_token": "", "refresh_token": null}', acts: true } },
    { ...KEPT, with: { body: '{"error": "temporarily_unavailable"}' } },
  ],
  truncated_json: [UNKNOWN],
  cut_body: [UNKNOWN],
  huge: [UNKNOWN, { ...TAKEN, with: { bytes: 60_000 } }],
  wrong_content_type: [TAKEN],
  expires_null: [TAKEN],
  expires_string: [TAKEN],
  expires_negative: [TAKEN],
  expires_absent: [TAKEN],
  token_type_absent: [TAKEN],
  scope_array: [TAKEN],
  extra_fields: [TAKEN],
  altered: [
    { told: 'PROVIDER_UNAVAILABLE', left: 'replaced', with: { remove: ['access_token'] } },
    { told: 'PROVIDER_UNAVAILABLE', left: 'replaced', with: { set: { access_token: 'at with blanks' } } },
    { ...TAKEN, with: { set: { scope: 7, expires_in: 'P1D', refresh_token_expires_in: -1 } } },
  ],
  invalid_grant: [KEPT],
  invalid_client: [NOT_US],
  error_in_200: [KEPT],
}

const cases = Object.entries(TABLE).flatMap(([answer, rows]) =>
  rows.map(row => ({ answer, row, what: row.with === undefined ? '' : JSON.stringify(row.with) })),
)

describe('an odd answer to a refresh', () => {
  it('is in this table', () => {
    expect(Object.keys(TABLE).sort()).toEqual([...FAULT_ANSWERS].sort())
  })

  it.each(cases)('loses no token: $answer $what', async ({ answer, row }) => {
    const world = await createSandboxWorld()
    const { clock, control, granted, status, stored, takes, token } = world
    control.addFault({ operation: 'refresh', answer, ...row.with } as FaultInput)
    world.expire()
    world.hurry(row.hangs === true)

    const told = await token()
    expect(told.startsWith('at-') ? 'a token' : told).toBe(row.told)
    const after = await status()
    // Which is no state of the connection, and goes with its cause.
    const state = row.told === 'PROVIDER_MISCONFIGURED' ? row.told : 'ACTIVE'
    expect(after).toMatchObject({ state, connected: row.told === 'a token' })
    expect(after.outcomeUnknownSince !== undefined).toBe(row.left === 'unknown')
    expect((await stored()) === granted.refreshToken).toBe(row.left !== 'replaced')
    expect(takes(await stored())).toBe(true)

    control.clearFaults()
    world.hurry(false)
    if (row.told !== 'a token') await clock.advance((after.nextRefreshAt ?? 0) - clock.now())
    const recovered = await token()
    expect(await world.opens(recovered)).toBe(true)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true, consecutiveFailures: 0 })
    expect((await status()).outcomeUnknownSince).toBeUndefined()
    // What the server still had to do is done, and has cost nothing either.
    await clock.advance(10_000)
    expect(takes(await stored())).toBe(true)
    expect(await world.opens(recovered)).toBe(true)
    expect(control.countRequests({ operation: 'trap' })).toBe(0)
  })
})
