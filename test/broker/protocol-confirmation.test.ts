import { describe, expect, it } from 'vitest'
import { createMachine, type MachineOptions } from './machine.ts'
import { answers } from './scripted-server.ts'

const HOUR = 3_600_000
const verify_url = 'https://as.example/status'

/** A running broker with one connection that is about to be renewed. */
async function createDue(options: MachineOptions = {}) {
  const machine = createMachine(options)
  const process = await machine.run()
  await process.connect()
  await machine.clock.advance(HOUR - 360_000 - 1_500)
  return { ...machine, ...process }
}

describe('a refusal', () => {
  it('is asked again 30 seconds later before anybody is told to consent', async () => {
    const { clock, server, status } = await createDue()
    server.endGrants()
    await clock.advance(3_000)
    const once = await status()
    expect(once).toMatchObject({ state: 'ACTIVE', connected: true, lastError: { class: 'reauthorize' } })
    expect(once.diagnosis).toMatch(/one refusal proves nothing/)
    await clock.advance(27_000)
    expect((await status()).state).toBe('ACTIVE')
    await clock.advance(3_000)
    expect((await status()).state).toBe('REAUTH_REQUIRED')
  })

  it('by a provider that lies for twenty seconds is nothing to be told of', async () => {
    const { clock, server, status, token } = await createDue()
    server.always = answers.refused
    await clock.advance(20_000)
    server.always = undefined
    await clock.advance(20_000)
    expect(await status()).toMatchObject({ state: 'ACTIVE', healthy: true, lastError: undefined })
    expect(await token()).toBe('at-2')
  })

  it('that comes early, because an operator refreshes, confirms nothing and delays nothing', async () => {
    const { clock, server, status, broker, name } = await createDue()
    server.endGrants()
    await clock.advance(3_000)
    const confirmAt = (await status()).nextRefreshAt
    await broker.refresh(name)
    expect(await status()).toMatchObject({
      state: 'ACTIVE',
      nextRefreshAt: confirmAt,
      consecutiveFailures: 2,
    })
    await clock.advance(30_000)
    expect((await status()).state).toBe('REAUTH_REQUIRED')
  })

  it.each([
    ['a limit', answers.limited],
    ['an unreachable provider', answers.unreachable],
    ['a wrong client secret', answers.wrongClient],
  ])('is not confirmed across %s, which begins it anew', async (_, between) => {
    const { clock, server, status } = await createDue()
    server.script.push(answers.refused, between)
    server.always = answers.refused
    await clock.advance(33_000)
    expect(server.script).toEqual([])
    // However soon the next refusal comes, it is the first.
    for (let waited = 0; (await status()).lastError?.class !== 'reauthorize' && waited < 120; waited++) {
      await clock.advance(1_000)
    }
    expect((await status()).state).toBe('ACTIVE')
    await clock.advance(31_000)
    expect((await status()).state).toBe('REAUTH_REQUIRED')
  })

  it('sends a caller to the provider only for the confirmation', async () => {
    const { clock, server, get, token } = await createDue()
    const { version } = await get()
    server.endGrants()
    await clock.advance(3_000)
    const before = server.http.sent.length
    for (let turn = 0; turn < 20; turn++) {
      expect(await token({ rejectedVersion: version })).toBe('PROVIDER_UNAVAILABLE')
    }
    expect(server.http.sent).toHaveLength(before)
    expect(await token()).toBe('at-1')
  })
})

describe('the second refusal says why', () => {
  it('the user revoked the grant: the access token is refused, too', async () => {
    const { clock, server, status } = await createDue({ definition: { verify_url } })
    server.endGrants()
    await clock.advance(35_000)
    expect((await status()).diagnosis).toMatch(/^the grant was revoked/)
  })

  it('another program refreshes the same grant: the access token works', async () => {
    const { clock, server, status } = await createDue({ definition: { verify_url } })
    server.always = answers.refused
    await clock.advance(35_000)
    expect((await status()).diagnosis).toMatch(/another program holds the same grant/)
  })

  it('nothing tells: the provider cannot be asked about the access token', async () => {
    const { clock, server, status } = await createDue()
    server.endGrants()
    await clock.advance(35_000)
    expect((await status()).diagnosis).toMatch(/refused the refresh token twice, without a reason/)
  })

  it('the refresh token was past its end', async () => {
    const definition = { refresh: { refresh_lifetime: { of: '40m', kind: 'sliding' }, margin: '10%' } }
    const machine = createMachine({ definition })
    const { connect, status } = await machine.run()
    await connect()
    machine.server.always = answers.unreachable
    await machine.clock.advance(45 * 60_000)
    machine.server.always = undefined
    machine.server.endGrants()
    await machine.clock.advance(120_000)
    expect((await status()).diagnosis).toMatch(/^the refresh token lapsed/)
  })

  it('the grant had reached its stated end: one refusal is enough', async () => {
    const definition = { refresh: { refresh_lifetime: { of: '30m', kind: 'absolute' } } }
    const machine = createMachine({ definition })
    const { connect, status } = await machine.run()
    await connect()
    machine.server.endGrants()
    machine.server.always = answers.unreachable
    await machine.clock.advance(30 * 60_000)
    machine.server.always = undefined
    await machine.clock.advance(61_000)
    const over = await status()
    expect(over.diagnosis).toMatch(/^the grant has reached its stated end/)
    expect(over).toMatchObject({ state: 'REAUTH_REQUIRED', connected: true })
  })
})
