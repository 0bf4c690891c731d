import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { ConnectionState, Source, Verification_Result } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { type Answers, type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { minutesFromNow, statusOf } from './messages.ts'
import { type CliSetting, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function run(argv: readonly string[], answers: Answers, setting: CliSetting = {}) {
  broker = await startFakeBroker(answers)
  return runCli(argv, { broker, ...setting })
}

describe('status', () => {
  it('exits 1 and says what to do if nothing is connected', async () => {
    const status = statusOf({
      state: ConnectionState.NOT_CONNECTED,
      connected: false,
      healthy: false,
      source: Source.UNSPECIFIED,
      diagnosis: 'never connected; run token-broker connect pinterest',
    })
    const result = await run(['status', 'pinterest'], { getStatus: () => ({ status }) })
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toMatch(/^pinterest: never connected; run token-broker connect pinterest\n/)
    expect(result.stdout).toContain('NOT_CONNECTED, no token is served')
    expect(result.stderr).toBe('')
  })

  it('exits 0 while a token is served although refreshes fail, and shows why', async () => {
    const status = statusOf({
      state: ConnectionState.REAUTH_REQUIRED,
      healthy: false,
      consecutiveFailures: 3,
      lastError: {
        class: 'reauthorize',
        reason: 'REAUTH_REQUIRED',
        providerCode: '283',
        message: 'the provider refuses the refresh token',
        time: minutesFromNow(-5),
      },
    })
    const result = await run(['status', 'pinterest'], { getStatus: () => ({ status }) })
    expect(result.exitCode).toBe(0)
    expect(result.stdout).toContain('REAUTH_REQUIRED, a token is served but refreshes fail')
    expect(result.stdout).toContain(
      'REAUTH_REQUIRED: the provider refuses the refresh token [283], 5 min ago (2026-11-20T11:55:00Z)',
    )
  })

  it('names the code of the provider once', async () => {
    const message = 'the provider answered 400 (invalid_grant)'
    const lastError = { class: 'reauthorize', reason: 'REVOKED', providerCode: 'invalid_grant', message }
    const status = statusOf({ lastError: { ...lastError, time: minutesFromNow(-5) } })
    const { stdout } = await run(['status', 'pinterest'], { getStatus: () => ({ status }) })
    expect(stdout).toContain('REVOKED: the provider answered 400 (invalid_grant), 5 min ago')
  })

  it('aligns its values', async () => {
    const { stdout } = await run(['status', 'pinterest'], { getStatus: () => ({ status: statusOf() }) })
    const columns = stdout
      .split('\n')
      .slice(2, -1)
      .map(line => /^ {2}\S+( \S+)* {2,}/.exec(line)?.[0].length)
    expect(columns.length).toBeGreaterThan(4)
    expect(new Set(columns).size).toBe(1)
    expect(stdout).toContain('in 30 min (2026-11-20T12:30:00Z)')
  })

  it('with --verify asks the provider, with --account for that account', async () => {
    const result = await run(['status', 'square', '--account', 'shop 7', '--verify'], {
      getStatus: request => ({
        status: statusOf({
          provider: request.provider,
          account: request.account,
          verification: {
            result: request.verify ? Verification_Result.REJECTED : Verification_Result.UNSPECIFIED,
            verifyTime: minutesFromNow(0),
          },
        }),
      }),
    })
    expect(result.stdout).toMatch(/^square account "shop 7": /)
    expect(result.stdout).toContain('the provider refuses the access token, now (2026-11-20T12:00:00Z)')
  })

  it('with --json prints the message with enums by name and times as RFC 3339', async () => {
    const { stdout } = await run(['status', 'pinterest', '--json'], {
      getStatus: () => ({ status: statusOf() }),
    })
    expect(JSON.parse(stdout)).toMatchObject({
      provider: 'pinterest',
      account: '',
      state: 'ACTIVE',
      source: 'OAUTH',
      connected: true,
      expireTime: '2026-11-20T12:30:00.000Z',
    })
  })

  it('lets no foreign text move the cursor', async () => {
    const status = statusOf({ providerAccountName: '\u001b[2Jjane\u202e' })
    const { stdout } = await run(['status', 'pinterest'], { getStatus: () => ({ status }) })
    expect(stdout).toContain('?[2Jjane? (1234)')
  })

  it('colours for a terminal, not if NO_COLOR asks', async () => {
    const answers = { getStatus: () => ({ status: statusOf() }) }
    const coloured = await run(['status', 'pinterest'], answers, { terminal: true })
    broker?.close()
    const plain = await run(['status', 'pinterest'], answers, { terminal: true, env: { NO_COLOR: '1' } })
    expect(coloured.stdout).toContain('\u001b[32mpinterest')
    expect(plain.stdout).not.toContain('\u001b')
  })

  it('says which provider is unknown, exit 1', async () => {
    const result = await run(['status', 'nope'], {
      getStatus: () => {
        throw refusal(grpcStatus.NOT_FOUND, 'PROVIDER_NOT_FOUND', 'no provider "nope" is configured')
      },
    })
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toBe('error: no provider "nope" is configured\n  reason: PROVIDER_NOT_FOUND\n')
  })
})
