import { describe, expect, it } from 'vitest'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { createMachine } from './machine.ts'

const HOUR = 3_600_000
const AS = 'https://as.example'
const definition = resolveDefinition({ issuer: AS }, 'acme')
const metadata = (token_endpoint: string) => ({
  issuer: AS,
  authorization_endpoint: `${AS}/authorize`,
  token_endpoint,
  code_challenge_methods_supported: ['S256'],
})

/** A process that has not asked the issuer yet, and the connection that a former one has left it. */
async function nextProcess(provider: Partial<Provider>, tokenEndpoint = `${AS}/token`) {
  const machine = createMachine({ provider: { definition } })
  machine.server.script.push({ status: 200, body: metadata(`${AS}/token`) })
  const first = await machine.run()
  await first.connect()
  await first.broker.stop()
  machine.server.script.push({ status: 200, body: metadata(tokenEndpoint) })
  return { ...machine, ...machine.boot({ provider }) }
}

describe('the status of a connection of a provider that is found by its issuer', () => {
  it('says at once that the client is another one', async () => {
    const { status, server } = await nextProcess({ clientId: 'another' })
    const sent = server.http.sent.length
    expect(await status()).toMatchObject({ state: 'PROVIDER_MISCONFIGURED', healthy: false })
    expect(server.http.sent).toHaveLength(sent)
  })

  it('says that the token endpoint has moved as soon as the issuer has named it', async () => {
    const { status, token, clock } = await nextProcess({}, 'https://new.example/token')
    expect(await status()).toMatchObject({ state: 'ACTIVE' })
    await clock.advance(HOUR)
    expect(await token()).toBe('PROVIDER_MISCONFIGURED')
    expect(await status()).toMatchObject({
      state: 'PROVIDER_MISCONFIGURED',
      connected: false,
      healthy: false,
    })
  })

  it('does not take an issuer that names the same endpoint for another one', async () => {
    const { status, token, clock } = await nextProcess({})
    await clock.advance(HOUR)
    expect(await token()).toMatch(/^at-/)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true })
  })
})
