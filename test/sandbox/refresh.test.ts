import { describe, expect, it } from 'vitest'
import type { BehaviorPatch } from '../../src/sandbox/behavior.ts'
import { errorOf, type Fixture, start, type TokenAnswer } from './harness.ts'

const REFUSED = [400, 'invalid_grant']

async function connected(behavior: BehaviorPatch) {
  const fixture = await start({ behavior: { oauth2: { consent: 'allow', ...behavior } } })
  return { ...fixture, first: await fixture.connect() }
}

async function refreshed(fixture: Fixture, refreshToken: string): Promise<TokenAnswer> {
  const answer = await fixture.refresh(refreshToken)
  expect(answer.status).toBe(200)
  return (await answer.json()) as TokenAnswer
}

describe('refresh() with replay "same"', () => {
  it('leaves the unchanged refresh token out, and it goes on working', async () => {
    const fixture = await connected({ replay: 'same' })

    const second = await refreshed(fixture, fixture.first.refresh_token)

    expect(second).not.toHaveProperty('refresh_token')
    expect(second.access_token).not.toBe(fixture.first.access_token)
    await refreshed(fixture, fixture.first.refresh_token)
  })

  it('repeats the refresh token where the server does so', async () => {
    const fixture = await connected({ replay: 'same', omitsUnchanged: false })

    const second = await refreshed(fixture, fixture.first.refresh_token)

    expect(second.refresh_token).toBe(fixture.first.refresh_token)
  })
})

describe('refresh() with replay "single_use"', () => {
  it('refuses the second use and spares the successor', async () => {
    const fixture = await connected({ replay: 'single_use' })
    const second = await refreshed(fixture, fixture.first.refresh_token)

    expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)

    await refreshed(fixture, second.refresh_token)
    expect(await fixture.opens(second.access_token)).toBe(true)
  })

  it('lets one of several concurrent uses through', async () => {
    const fixture = await connected({ replay: 'single_use' })

    const answers = await Promise.all([1, 2, 3].map(() => fixture.refresh(fixture.first.refresh_token)))

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400])
  })
})

describe('refresh() with replay "single_use_family"', () => {
  it('ends every token of the grant at the second use', async () => {
    const fixture = await connected({ replay: 'single_use_family' })
    const other = await fixture.connect()
    const second = await refreshed(fixture, fixture.first.refresh_token)

    expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)

    expect(await errorOf(fixture.refresh(second.refresh_token))).toEqual(REFUSED)
    expect(await fixture.opens(second.access_token)).toBe(false)
    expect(await fixture.opens(other.access_token)).toBe(true)
  })
})

describe('refresh() with replay "window" that ends by time', () => {
  it.each([
    ['one millisecond before its end', 4_999, 200],
    ['at its end', 5_000, 400],
  ])('with a replay %s', async (_, ms, status) => {
    const fixture = await connected({ replay: 'window', windowMs: 5_000 })
    await refreshed(fixture, fixture.first.refresh_token)

    fixture.clock.advance(ms)

    expect((await fixture.refresh(fixture.first.refresh_token)).status).toBe(status)
  })

  it.each(['same', 'new'] as const)(
    'counts from the first use, not from the last, with %s',
    async windowSuccessor => {
      const fixture = await connected({ replay: 'window', windowMs: 5_000, windowSuccessor })
      await refreshed(fixture, fixture.first.refresh_token)
      fixture.clock.advance(4_000)
      await refreshed(fixture, fixture.first.refresh_token)
      fixture.clock.advance(1_000)

      expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)
    },
  )

  it('shows the old token as living until then', async () => {
    const fixture = await connected({ replay: 'window', windowMs: 5_000 })
    await refreshed(fixture, fixture.first.refresh_token)
    const isLive = () =>
      fixture.sandbox.control.listTokens().find(({ value }) => value === fixture.first.refresh_token)?.live

    expect(isLive()).toBe(true)
    fixture.clock.advance(5_000)
    expect(isLive()).toBe(false)
  })

  it('answers the same successor again', async () => {
    const fixture = await connected({ replay: 'window', windowSuccessor: 'same' })

    const once = await refreshed(fixture, fixture.first.refresh_token)
    const again = await refreshed(fixture, fixture.first.refresh_token)

    expect(again.refresh_token).toBe(once.refresh_token)
    expect(again.access_token).not.toBe(once.access_token)
  })

  it('answers a new successor, and both work', async () => {
    const fixture = await connected({ replay: 'window', windowSuccessor: 'new' })

    const once = await refreshed(fixture, fixture.first.refresh_token)
    const again = await refreshed(fixture, fixture.first.refresh_token)

    expect(again.refresh_token).not.toBe(once.refresh_token)
    await refreshed(fixture, once.refresh_token)
    await refreshed(fixture, again.refresh_token)
  })

  it('answers a newest successor, and only that works', async () => {
    const fixture = await connected({ replay: 'window', windowSuccessor: 'newest' })

    const once = await refreshed(fixture, fixture.first.refresh_token)
    const again = await refreshed(fixture, fixture.first.refresh_token)

    expect(await errorOf(fixture.refresh(once.refresh_token))).toEqual(REFUSED)
    await refreshed(fixture, again.refresh_token)
  })
})

describe('refresh() with replay "window" that ends by first use', () => {
  it('stays open as long as the successor is unused', async () => {
    const fixture = await connected({ replay: 'window', windowEnds: 'first_use' })
    await refreshed(fixture, fixture.first.refresh_token)
    fixture.clock.advance(24 * 3_600_000)

    await refreshed(fixture, fixture.first.refresh_token)
  })

  it('ends when the successor is refreshed', async () => {
    const fixture = await connected({ replay: 'window', windowEnds: 'first_use' })
    const second = await refreshed(fixture, fixture.first.refresh_token)
    await refreshed(fixture, second.refresh_token)

    expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)
  })

  it('ends when the new access token is used', async () => {
    const fixture = await connected({ replay: 'window', windowEnds: 'first_use' })
    const second = await refreshed(fixture, fixture.first.refresh_token)
    expect(await fixture.opens(second.access_token)).toBe(true)

    expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)
  })
})

describe('refresh() with lifetimes', () => {
  it.each([
    ['one millisecond before its end', 1_999, true],
    ['at its end', 2_000, false],
  ])('lets an access token in %s', async (_, ms, opens) => {
    const fixture = await connected({ accessTokenLifetimeMs: 2_000 })
    expect(fixture.first.expires_in).toBe(2)

    fixture.clock.advance(ms)

    expect(await fixture.opens(fixture.first.access_token)).toBe(opens)
  })

  it('states no expiry where access tokens never expire', async () => {
    const { first } = await connected({ accessTokenLifetimeMs: null })

    expect(first).not.toHaveProperty('expires_in')
  })

  it.each([
    ['sliding', 200],
    ['absolute', 400],
  ] as const)('of a refresh token that is %s', async (refreshTokenExpiry, status) => {
    const fixture = await connected({ refreshTokenLifetimeMs: 10_000, refreshTokenExpiry })
    fixture.clock.advance(6_000)
    const second = await refreshed(fixture, fixture.first.refresh_token)
    fixture.clock.advance(6_000)

    expect((await fixture.refresh(second.refresh_token)).status).toBe(status)
  })

  it('extends a refresh token that is never replaced, if it slides', async () => {
    const fixture = await connected({ replay: 'same', refreshTokenLifetimeMs: 10_000 })
    for (let round = 0; round < 3; round += 1) {
      fixture.clock.advance(9_999)
      await refreshed(fixture, fixture.first.refresh_token)
    }
    fixture.clock.advance(10_000)

    expect(await errorOf(fixture.refresh(fixture.first.refresh_token))).toEqual(REFUSED)
  })
})

describe('refresh()', () => {
  it.each([
    [true, false],
    [false, true],
  ])('with killsAccessToken %s lets the previous access token in: %s', async (killsAccessToken, opens) => {
    const fixture = await connected({ killsAccessToken })
    const second = await refreshed(fixture, fixture.first.refresh_token)

    expect(await fixture.opens(fixture.first.access_token)).toBe(opens)
    expect(await fixture.opens(second.access_token)).toBe(true)
  })

  it('narrows the scopes of one access token', async () => {
    const fixture = await start({ autoApprove: true })
    const first = await fixture.connect({ scope: 'read write' })
    const body = { grant_type: 'refresh_token', refresh_token: first.refresh_token, scope: 'read' }

    const second = (await (await fixture.token(body)).json()) as TokenAnswer

    expect(second.scope).toBe('read')
    expect((await refreshed(fixture, second.refresh_token)).scope).toBe('read write')
  })

  it('refuses more scopes than were granted, and spends nothing', async () => {
    const fixture = await connected({})
    const body = { grant_type: 'refresh_token', refresh_token: fixture.first.refresh_token, scope: 'admin' }

    expect(await errorOf(fixture.token(body))).toEqual([400, 'invalid_scope'])

    await refreshed(fixture, fixture.first.refresh_token)
  })

  it('refuses a token of another client', async () => {
    const fixture = await connected({})
    fixture.sandbox.control.registerClient({ clientId: 'other', clientSecret: 'secret' })
    const body = { grant_type: 'refresh_token', refresh_token: fixture.first.refresh_token }
    const asOther = { ...body, client_id: 'other', client_secret: 'secret' }

    expect(await errorOf(fixture.post('/oauth2/token', asOther))).toEqual(REFUSED)

    await refreshed(fixture, fixture.first.refresh_token)
  })

  it('has nothing to refresh with where no refresh token is issued', async () => {
    const { first } = await connected({ issuesRefreshToken: false })

    expect(first).not.toHaveProperty('refresh_token')
  })
})
