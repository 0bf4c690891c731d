import { describe, expect, it } from 'vitest'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { createFakeClock, start } from './harness.ts'

const parts = { clock: createFakeClock(), random: { token: () => 'x' } }

describe('listen()', () => {
  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.0.0.1.example.com', ''])(
    'refuses %j',
    async host => {
      const sandbox = createSandbox(parts)

      const refused = sandbox.listen({ host, port: 0 })

      await expect(refused).rejects.toMatchObject({ name: 'SandboxError', reason: 'not_loopback' })
      await expect(refused).rejects.toThrow('the sandbox listens on loopback only')
      await sandbox.close()
    },
  )

  it.each(['localhost', '127.0.0.1', '127.0.0.2'])('takes %s', async host => {
    const sandbox = createSandbox(parts)

    const { origin } = await sandbox.listen({ host, port: 0 })

    expect((await fetch(`${origin}/_sandbox/`)).status).toBe(200)
    await sandbox.close()
    await expect(fetch(`${origin}/_sandbox/`)).rejects.toThrow()
  })

  it('says so if the port is taken', async () => {
    const { origin } = await start()
    const sandbox = createSandbox(parts)

    const refused = sandbox.listen({ host: '127.0.0.1', port: Number(new URL(origin).port) })

    await expect(refused).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await sandbox.close()
  })
})

describe('createSandbox()', () => {
  it.each([
    ['an unknown dialect of behaviour', { behavior: { acme: {} } }, 'no dialect "acme"'],
    ['an unknown dialect of accounts', { accounts: { acme: [] } }, 'no dialect "acme"'],
    ['a bad behaviour', { behavior: { oauth2: { codeLifetimeMs: 0 } } }, 'codeLifetimeMs: '],
    ['a bad client', { clients: [{ clientId: '', clientSecret: 'x' }] }, 'clientId: '],
    ['a bad account', { accounts: { oauth2: [{ id: '', name: 'x' }] } }, 'id: '],
  ])('refuses %s', (_, options, message) => {
    expect(() => createSandbox({ ...parts, options })).toThrow(message)
  })

  it('lets a behaviour that is named win over autoApprove', () => {
    const options = {
      autoApprove: true,
      behavior: { pinterest: { consent: 'ask' as const, replay: undefined } },
    }

    const { control } = createSandbox({ ...parts, options })

    expect(control.behaviorOf('oauth2').consent).toBe('allow')
    expect(control.behaviorOf('pinterest')).toMatchObject({ consent: 'ask', replay: 'single_use' })
  })
})

describe('the sandbox', () => {
  it('answers JSON where nothing is, without repeating the path', async () => {
    const { get } = await start()

    const answer = await get('/oauth2/secret-path')

    expect(answer.status).toBe(404)
    expect(await answer.text()).not.toContain('secret-path')
  })

  it('refuses a body that is too large', async () => {
    const { post } = await start()

    expect((await post('/oauth2/token', { code: 'x'.repeat(300_000) })).status).toBe(413)
  })

  it('keeps a literal trailing slash', async () => {
    const { get } = await start()

    expect((await get('/pinterest/oauth')).status).toBe(404)
    expect((await get('/pinterest/oauth/')).status).toBe(400)
  })
})
