import { describe, expect, it } from 'vitest'
import { sealContext } from '../../src/broker/connection.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from './fake-clock.ts'
import { fakeKeyring } from './fake-keyring.ts'
import { dieAt } from './faults.ts'
import { createMachine, type MachineOptions } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const byAccessToken = { operations: { revoke: { url: 'https://as.example/revoke', token: 'access' } } }

/** A broker that has not started, over a connection whose stored token is dead and whose sibling lives. */
async function createSiblings(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const { clock, server } = machine
  const former = await machine.run()
  await former.connect()
  await former.broker.stop()
  server.endGrants()
  const { refreshToken: sibling } = server.issue()
  const process = machine.boot()
  const row = await process.store.findConnection('acme', '')
  if (row === undefined) throw new Error('expected a connection')
  const sealedRefreshToken = fakeKeyring.seal(new Secret(sibling), sealContext(row, 'sibling'))
  const nextRefreshAt = clock.now()
  await process.store.keepSibling(row, {
    sealedRefreshToken,
    until: nextRefreshAt + 24 * HOUR,
    nextRefreshAt,
  })
  return { ...machine, process, sibling }
}

describe('a sibling, the stored token being refused,', () => {
  it('is not given up while the provider does not answer for it', async () => {
    const { clock, server, process, sibling } = await createSiblings()
    for (let turn = 0; turn < 5; turn++) server.script.push(answers.refused, answers.down)
    await process.broker.start()
    await clock.advance(10_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE' })
    expect(server.accepts(sibling)).toBe(true)
    await clock.advance(60_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })

  it('is followed by what it brings, even if that is a refresh token alone', async () => {
    const { clock, server, process } = await createSiblings()
    server.script.push(answers.refused, acted.withoutAccessToken)
    await process.broker.start()
    await clock.advance(60_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })

  it('is refused, too, at the end of the grant', async () => {
    const { clock, server, process } = await createSiblings()
    server.endGrants()
    await process.broker.start()
    await clock.advance(10_000)
    expect(await process.status()).toMatchObject({ state: 'REAUTH_REQUIRED' })
  })
})

describe('a clock that jumps two days ahead', () => {
  it('before the sibling was tried does not cost it', async () => {
    const { clock, server, process } = await createSiblings()
    clock.jump(2 * DAY)
    await process.broker.start()
    await clock.advance(60_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })

  it('while a request is under way that was sent with the stored token does not cost the sibling', async () => {
    const { clock, server, process } = await createSiblings()
    const gate = Promise.withResolvers<void>()
    server.script.push(async () => {
      await gate.promise
      // What it brings is no good any more.
      const tokens = { access_token: 'at-dead', refresh_token: 'rt-dead', expires_in: 3_600 }
      return { status: 200, body: { ...tokens, token_type: 'bearer', account: server.account } }
    })
    await process.broker.start()
    await settle()
    clock.jump(2 * DAY)
    gate.resolve()
    await clock.advance(60_000)
    await process.broker.refresh(process.name)
    await clock.advance(60_000)
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    expect(server.accepts(server.current())).toBe(true)
  })
})

describe('a disconnect of a connection with a sibling', () => {
  it('has both refresh tokens revoked', async () => {
    const { server, process, sibling } = await createSiblings()
    expect(await process.disconnect()).toMatchObject({ revocation: 'REVOKED' })
    expect(server.revoked).toEqual(['rt-1', sibling])
    expect(await process.store.hasSealedData()).toBe(false)
  })

  it('has both revoked after a crash, because both were filed when it was removed', async () => {
    const { clock, server, process, sibling, run } = await createSiblings()
    dieAt(process, 'removeConnection', 'after')
    void process.disconnect()
    await settle()
    const restarted = await run()
    await clock.advance(100_000)
    expect([...server.revoked].sort()).toEqual(['rt-1', sibling])
    expect(await restarted.store.hasSealedData()).toBe(false)
  })

  it('is not said to be done while the provider has confirmed only one', async () => {
    const { clock, server, process, sibling } = await createSiblings()
    server.script.push(act => act(), answers.down)
    expect(await process.disconnect()).toMatchObject({ revocation: 'PENDING' })
    expect(server.revoked).toEqual(['rt-1'])
    await process.broker.start()
    await clock.advance(100_000)
    expect(server.revoked).toEqual(['rt-1', sibling])
  })

  it('has one revoked that another broker has kept meanwhile', async () => {
    const { clock, server, process, sibling } = await createSiblings()
    const row = await process.store.findConnection('acme', '')
    // What it reads is behind what is stored.
    process.store.findConnection = async () => row && { ...row, sealedSibling: undefined }
    await process.disconnect()
    await clock.advance(1_000)
    expect([...server.revoked].sort()).toEqual(['rt-1', sibling])
    expect(await process.store.hasSealedData()).toBe(false)
  })

  describe('at a provider that wants a living access token for it', () => {
    it('has one obtained with the sibling', async () => {
      const { server, process } = await createSiblings({ definition: byAccessToken })
      expect(await process.disconnect()).toMatchObject({ revocation: 'REVOKED' })
      expect(server.revoked).toEqual(['at-1', 'at-3'])
      expect(server.accepts(server.current())).toBe(false)
    })

    it('has nothing to do for a sibling that is refused', async () => {
      const { server, process } = await createSiblings({ definition: byAccessToken })
      server.endGrants()
      expect(await process.disconnect()).toMatchObject({ revocation: 'REVOKED' })
      expect(server.revoked).toEqual(['at-1'])
      expect(await process.store.hasSealedData()).toBe(false)
    })

    it('tries again later where nobody answers', async () => {
      const { clock, server, process } = await createSiblings({ definition: byAccessToken })
      server.always = answers.down
      expect(await process.disconnect()).toMatchObject({ revocation: 'PENDING' })
      server.always = undefined
      await process.broker.start()
      await clock.advance(100_000)
      expect(server.revoked).toEqual(['at-1', 'at-3'])
    })
  })
})

describe('a new consent of a connection with a sibling', () => {
  it('replaces both refresh tokens, and revokes neither', async () => {
    const { clock, server, process } = await createSiblings()
    await process.connect()
    await clock.advance(60_000)
    expect(server.revoked).toEqual([])
    expect(await process.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })
})
