import { describe, expect, it } from 'vitest'
import { type CliResult, runCli } from '../cli/run-cli.ts'
import { createHome, type RunningBroker, startSandbox } from './broker-process.ts'

const SELLER = 'MLQW2MYBY81Q0'
const SCOPES = ['MERCHANT_PROFILE_READ', 'PAYMENTS_READ']
const CONNECTION = { provider: 'square', account: 'shop-7' }

/** A broker that knows Square, and a token of the RenewToken time: one without a refresh token that we know. */
async function squareWorld() {
  const { sandbox, origin } = await startSandbox()
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(`square:
  endpoints_base: ${origin}/square
  client_id: sandbox-client
  client_secret: {file: client-secret}
  scopes: [${SCOPES.join(', ')}]`)
  const broker = await home.start()
  const old = sandbox.control.createGrant({ dialect: 'square', accountId: SELLER, scopes: SCOPES })
  const migrate = (...options: string[]) => importToken(broker, old.accessToken, options)
  const merchant = (token: string) =>
    fetch(`${origin}/square/v2/merchants/me`, { headers: { authorization: `Bearer ${token}` } })
  return { sandbox, home, broker, old, migrate, merchant }
}

async function importToken(
  broker: RunningBroker,
  token: string,
  options: readonly string[],
): Promise<CliResult> {
  const argv = ['import', '--provider', 'square', '--account', 'shop-7', '--migration-token', ...options]
  const result = await runCli(argv, { broker, stdin: `${token}\n` })
  expect(result.stdout + result.stderr).not.toContain(token)
  return result
}

describe('import --migration-token of a Square token', () => {
  it('stores nothing once the old token has ended, and does not give up the provider for it', async () => {
    const { sandbox, broker, migrate } = await squareWorld()
    sandbox.control.expireTokens('access', { dialect: 'square' })

    const result = await migrate()

    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain('nothing was stored')
    expect(await broker.refusal('square', { account: 'shop-7' })).toMatchObject({
      reason: 'CONSENT_REQUIRED',
    })
    const living = sandbox.control.createGrant({ dialect: 'square', accountId: SELLER })
    expect(await importToken(broker, living.accessToken, [])).toMatchObject({ exitCode: 0 })
  })

  it('stores nothing if the answer is lost, and can be repeated', async () => {
    const { sandbox, migrate } = await squareWorld()
    sandbox.control.addFault({ operation: 'refresh', answer: 'drop', acts: true, times: 1 })

    expect(await migrate()).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('nothing was stored'),
    })
    expect(await migrate()).toMatchObject({ exitCode: 0 })
  })

  it('brings a grant that is renewed, with the seller, scopes and expiry that Square tells', async () => {
    const { broker, old, migrate, merchant, sandbox } = await squareWorld()

    expect(await migrate('--check', 'verify')).toMatchObject({
      exitCode: 0,
      stdout: `square account "shop-7": imported, as ${SELLER}\n`,
    })

    const first = await broker.getToken('square', { account: 'shop-7', requiredScopes: SCOPES })
    expect(first.accessToken).not.toBe(old.accessToken)
    expect(first).toMatchObject({ providerAccountId: SELLER, scopes: SCOPES })
    expect((await merchant(first.accessToken)).status).toBe(200)

    const { refreshed } = await broker.call(broker.tokens, broker.tokens.refresh, CONNECTION)
    expect(refreshed).toBe(true)
    const second = await broker.getToken('square', { account: 'shop-7' })
    expect(second.version).not.toBe(first.version)
    expect((await merchant(second.accessToken)).status).toBe(200)
    // The migration, then the refresh.
    expect(sandbox.control.countRequests({ dialect: 'square', operation: 'refresh' })).toBe(2)
  })

  it('asks Square no second time for what is connected, unless it is to be replaced', async () => {
    const { sandbox, broker, migrate } = await squareWorld()
    await migrate()
    const { version } = await broker.getToken('square', { account: 'shop-7' })

    const again = await migrate()

    expect(again).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('CONNECTION_EXISTS') })
    expect(sandbox.control.countRequests({ dialect: 'square', operation: 'refresh' })).toBe(1)
    expect(await migrate('--replace')).toMatchObject({ exitCode: 0 })
    expect((await broker.getToken('square', { account: 'shop-7' })).version).not.toBe(version)
  })
})

it('import of a Square token without --migration-token says what becomes of it, and how to mend it', async () => {
  const { broker, old, migrate } = await squareWorld()

  const plain = await runCli(['import', '--provider', 'square', '--account', 'shop-7', '--check', 'verify'], {
    broker,
    stdin: old.accessToken,
  })

  expect(plain.exitCode).toBe(0)
  expect(plain.stdout).toContain('Square retired RenewToken on 2024-04-17')
  expect(plain.stdout).toContain('--migration-token and --replace')
  expect(await migrate('--replace')).toMatchObject({ exitCode: 0 })
  const { refreshed } = await broker.call(broker.tokens, broker.tokens.refresh, CONNECTION)
  expect(refreshed).toBe(true)
})

it('import of one account twice knows the same grant again, and takes neither of two different ones', async () => {
  const { sandbox, broker } = await squareWorld()
  const line = (account: string) => {
    const { accessToken, refreshToken } = sandbox.control.createGrant({ dialect: 'square' })
    return JSON.stringify({ account, access_token: accessToken, refresh_token: refreshToken })
  }
  // Square's refresh token is the same for all grants of a seller, so that another seller makes the difference.
  const { accessToken, refreshToken } = sandbox.control.createGrant({ dialect: 'square', accountId: SELLER })
  const other = JSON.stringify({ account: 'b', access_token: accessToken, refresh_token: refreshToken })

  const result = await runCli(['import', '--provider', 'square', '--replace'], {
    broker,
    stdin: [line('a'), line('a'), line('b'), other].join('\n'),
  })

  expect(result.exitCode).toBe(1)
  expect(result.stdout.split('\n').slice(0, 4)).toEqual([
    'square account "a": imported',
    'square account "a": already there, nothing was changed',
    expect.stringContaining('lines 3 and 4 bring different grants'),
    expect.stringContaining('lines 3 and 4 bring different grants'),
  ])
  expect(await broker.refusal('square', { account: 'b' })).toMatchObject({ reason: 'CONSENT_REQUIRED' })
})
