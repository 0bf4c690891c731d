import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { createMachine, type ProcessOptions } from './machine.ts'
import { answers } from './scripted-server.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const SECRET = 'canary-client-secret'

/** A running broker with a seller at Square, which says the same of a wrong client secret and of a dead grant. */
async function createSquare() {
  const machine = createMachine({ definition: 'square' })
  const { server } = machine
  server.replay = 'same'
  server.lifetime = 30 * 86_400
  server.secrets = [SECRET]
  const process = await machine.run()
  await process.connect()
  const refresh = (account = '') => process.broker.refresh({ provider: 'acme', account })
  return { ...machine, ...process, refresh }
}

const withSecrets = (...secrets: string[]): ProcessOptions => ({
  provider: { clientSecrets: secrets.map(secret => new Secret(secret)) },
})

describe('a refusal by Square', () => {
  it('is our fault where the living access token works; the only connection keeps its state', async () => {
    const { clock, server, refresh, status, token } = await createSquare()
    server.secrets = ['another']
    await refresh()
    expect(await status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED', lastError: { class: 'client' } })
    await clock.advance(60 * MINUTE)
    expect(await status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED', connected: true })
    expect(await token()).toBe('at-1')
    server.secrets = [SECRET]
    await clock.advance(2 * MINUTE)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('is the end of the grant where the living access token is refused, too', async () => {
    const { clock, server, refresh, status } = await createSquare()
    server.endGrants()
    await refresh()
    expect(await status()).toMatchObject({ state: 'ACTIVE', lastError: { class: 'reauthorize' } })
    await clock.advance(31_000)
    const ended = await status()
    expect(ended.state).toBe('REAUTH_REQUIRED')
    expect(ended.diagnosis).toMatch(/^the grant was revoked/)
  })

  it('is our fault where the secret is another one than the tokens came with', async () => {
    const { clock, run, broker, server } = await createSquare()
    await broker.stop()
    clock.jump(31 * DAY)
    const restarted = await run(withSecrets('mistyped'))
    expect(await restarted.token()).toBe('PROVIDER_MISCONFIGURED')
    await clock.advance(60 * MINUTE)
    expect(await restarted.status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED' })
    await restarted.broker.stop()
    const corrected = await run(withSecrets(SECRET))
    await clock.advance(1_000)
    expect(await corrected.token()).toBe(`at-2`)
    expect(server.accepts('rt-1')).toBe(true)
  })

  it('is nothing at all while the secret is rotated, with both configured', async () => {
    const { clock, run, broker, server } = await createSquare()
    await broker.stop()
    const rotating = await run(withSecrets('new', SECRET))
    await rotating.broker.refresh(rotating.name)
    expect(await rotating.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
    server.secrets = ['new']
    await clock.advance(31_000)
    await rotating.broker.refresh(rotating.name)
    expect(await rotating.status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('is the end of the grant where another connection has been renewed meanwhile', async () => {
    const { clock, server, connect, refresh, status, broker, name } = await createSquare()
    await connect({ account: 'other' })
    clock.jump(31 * DAY)
    server.endGrants('rt-1')
    await clock.advance(MINUTE)
    expect(await status()).toMatchObject({ state: 'ACTIVE' })
    await broker.refresh({ ...name, account: 'other' })
    expect(await status({ account: 'other' })).toMatchObject({ healthy: true })
    await refresh()
    await clock.advance(MINUTE)
    expect(await status()).toMatchObject({ state: 'REAUTH_REQUIRED', connected: false })
    expect(await status({ account: 'other' })).toMatchObject({ state: 'ACTIVE', healthy: true })
  })

  it('is our fault where all are refused alike', async () => {
    const { clock, server, connect, status } = await createSquare()
    for (let index = 0; index < 5; index++) await connect({ account: `other-${index}` })
    clock.jump(31 * DAY)
    server.secrets = ['another']
    await clock.advance(60 * MINUTE)
    expect(await status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED' })
    server.secrets = [SECRET]
    await clock.advance(2 * MINUTE)
    for (let index = 0; index < 5; index++) {
      expect(await status({ account: `other-${index}` })).toMatchObject({ state: 'ACTIVE', healthy: true })
    }
  })

  it('without any evidence changes nothing, and names both possibilities', async () => {
    const { clock, server, status } = await createSquare()
    clock.jump(31 * DAY)
    server.endGrants()
    await clock.advance(60 * MINUTE)
    const open = await status()
    expect(open).toMatchObject({ state: 'ACTIVE', connected: false, lastError: { class: 'ambiguous' } })
    expect(open.diagnosis).toMatch(/whether our client secret is wrong or the grant is dead/)
  })

  it('is not decided by a verification that gets no answer', async () => {
    const { clock, server, refresh, status, http } = await createSquareWithoutStatus()
    server.secrets = ['another']
    await refresh()
    await clock.advance(10 * MINUTE)
    expect(await status()).toMatchObject({ state: 'ACTIVE', lastError: { class: 'ambiguous' } })
    expect(http.sent.some(({ url }) => url.endsWith('/status'))).toBe(true)
  })
})

/** The same, where nobody answers what an access token is worth. */
async function createSquareWithoutStatus() {
  const square = await createSquare()
  const { http } = square.server
  const { send } = http
  http.send = async (request, options) => {
    const answer = await send(request, options)
    return request.url.expose().endsWith('/status') ? { ...answer, ...answers.down } : answer
  }
  return { ...square, http }
}
