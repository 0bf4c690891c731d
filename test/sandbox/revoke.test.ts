import { describe, expect, it } from 'vitest'
import type { BehaviorPatch } from '../../src/sandbox/behavior.ts'
import { basic, errorOf, start } from './harness.ts'

async function connected(behavior: BehaviorPatch = {}) {
  const fixture = await start({ behavior: { oauth2: { consent: 'allow', ...behavior } } })
  const tokens = await fixture.connect()
  const revoke = (token: string, authorization = basic()) =>
    fixture.post('/oauth2/revoke', { token }, { authorization })
  const refreshes = async (token: string) => (await fixture.refresh(token)).status === 200
  return { ...fixture, tokens, revoke, refreshes }
}

describe('revoke() that is refused', () => {
  it('wants the client to authenticate', async () => {
    const { revoke, tokens, opens } = await connected()

    expect(await errorOf(revoke(tokens.refresh_token, basic('sandbox-client', 'wrong')))).toEqual([
      401,
      'invalid_client',
    ])
    expect(await opens(tokens.access_token)).toBe(true)
  })

  it('spares the token of another client', async () => {
    const { sandbox, revoke, tokens, opens } = await connected()
    sandbox.control.registerClient({ clientId: 'other', clientSecret: 'x' })

    expect(await errorOf(revoke(tokens.refresh_token, basic('other', 'x')))).toEqual([
      400,
      'unauthorized_client',
    ])
    expect(await opens(tokens.access_token)).toBe(true)
  })

  it('wants a token', async () => {
    const { revoke } = await connected()

    expect(await errorOf(revoke(''))).toEqual([400, 'invalid_request'])
  })
})

describe('revoke()', () => {
  it.each(['access_token', 'refresh_token'] as const)('of the %s ends the grant', async name => {
    const { revoke, tokens, opens, refreshes, connect } = await connected({ revokes: 'grant' })
    const other = await connect()

    const answer = await revoke(tokens[name])

    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect(await opens(tokens.access_token)).toBe(false)
    expect(await refreshes(tokens.refresh_token)).toBe(false)
    expect(await opens(other.access_token)).toBe(true)
  })

  it('ends one token where the server does no more', async () => {
    const { revoke, tokens, opens, refreshes } = await connected({ revokes: 'token' })

    await revoke(tokens.access_token)

    expect(await opens(tokens.access_token)).toBe(false)
    expect(await refreshes(tokens.refresh_token)).toBe(true)
  })

  it('ends everything of the account at this client where the server does so', async () => {
    const { sandbox, revoke, tokens, opens, connect } = await connected({ revokes: 'account' })
    const same = await connect()
    sandbox.control.changeBehavior('oauth2', { consentAccountId: 'user-1002' })
    const different = await connect()

    await revoke(tokens.refresh_token)

    expect(await opens(same.access_token)).toBe(false)
    expect(await opens(different.access_token)).toBe(true)
  })

  it.each(['never-issued', 'revoked before'])('is content with a token that is %s', async which => {
    const { revoke, tokens } = await connected()
    if (which === 'revoked before') await revoke(tokens.refresh_token)

    expect((await revoke(which === 'revoked before' ? tokens.refresh_token : which)).status).toBe(200)
  })
})
