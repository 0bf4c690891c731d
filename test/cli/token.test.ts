import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { GetAccessTokenRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { ACCESS_TOKEN, minutesFromNow, tokenOf } from './messages.ts'
import { type CliSetting, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function run(argv: readonly string[], token = tokenOf(), setting: CliSetting = {}) {
  const requests: GetAccessTokenRequest[] = []
  broker = await startFakeBroker({
    getAccessToken: request => {
      requests.push(request)
      return { token }
    },
  })
  return { ...(await runCli(['token', ...argv], { broker, ...setting })), request: requests[0] }
}

describe('token', () => {
  it('prints nothing but help if nobody has consented, exit 1', async () => {
    broker = await startFakeBroker({
      getAccessToken: () => {
        throw refusal(grpcStatus.FAILED_PRECONDITION, 'CONSENT_REQUIRED', 'pinterest is not connected', {
          help: 'token-broker connect pinterest',
        })
      },
    })
    const result = await runCli(['token', 'pinterest'], { broker })
    expect(result).toMatchObject({ exitCode: 1, stdout: '' })
    expect(result.stderr).toBe(
      'error: pinterest is not connected\n  reason: CONSENT_REQUIRED\n  help: token-broker connect pinterest\n',
    )
  })

  it('prints the token alone on stdout and nothing on stderr in a pipe', async () => {
    const result = await run(['pinterest'])
    expect(result).toMatchObject({ exitCode: 0, stdout: `${ACCESS_TOKEN}\n`, stderr: '' })
  })

  it('warns on stderr on a terminal, without the token', async () => {
    const result = await run(['pinterest'], tokenOf(), { terminal: true })
    expect(result.stderr).toContain('This is a secret')
    expect(result.stderr).not.toContain(ACCESS_TOKEN)
    expect(result.stdout).toBe(`${ACCESS_TOKEN}\n`)
  })

  it('says on stderr that the last refresh failed', async () => {
    const token = tokenOf({ degraded: { reason: 'PROVIDER_UNAVAILABLE', since: minutesFromNow(-5) } })
    const result = await run(['pinterest'], token)
    expect(result.stderr).toContain('the last refresh failed (PROVIDER_UNAVAILABLE)')
    expect(result.stdout).toBe(`${ACCESS_TOKEN}\n`)
  })

  it('with --header prints the header as the provider wants it, and those beside it', async () => {
    const presentation = {
      headerName: 'Access-Token',
      valuePrefix: '',
      headers: { 'Square-Version': '2026-01-22' },
      baseUrl: '',
    }
    const { stdout } = await run(['square', '--header'], tokenOf({ presentation }))
    expect(stdout).toBe(`Access-Token: ${ACCESS_TOKEN}\nSquare-Version: 2026-01-22\n`)
  })

  it('with --json prints everything', async () => {
    const { stdout } = await run(['pinterest', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      accessToken: ACCESS_TOKEN,
      expiry: 'STATED',
      source: 'OAUTH',
      expireTime: '2026-11-20T12:30:00.000Z',
      presentation: { headerName: 'Authorization' },
    })
  })

  it('asks for what its options say', async () => {
    const argv = ['square', '--account', 'shop-7', '--min-ttl', '5m', '--rejected-version', 'v-0']
    const { request } = await run([...argv, '--scope', 'a b', '--scope', 'c'])
    expect(request).toEqual({
      provider: 'square',
      account: 'shop-7',
      minTtl: { seconds: 300, nanos: 0 },
      rejectedVersion: 'v-0',
      requiredScopes: ['a', 'b', 'c'],
    })
  })

  it('leaves min_ttl unset unless it is given, and 0 is given', async () => {
    expect((await run(['pinterest'])).request?.minTtl).toBeUndefined()
    broker?.close()
    expect((await run(['pinterest', '--min-ttl', '0'])).request?.minTtl).toEqual({ seconds: 0, nanos: 0 })
  })

  it('refuses --header with --json and a malformed --min-ttl, exit 64', async () => {
    expect(await runCli(['token', 'pinterest', '--header', '--json'])).toMatchObject({ exitCode: 64 })
    const result = await runCli(['token', 'pinterest', '--min-ttl', '5 minutes'])
    expect(result.exitCode).toBe(64)
    expect(result.stderr).toContain("'5 minutes' is invalid. Expected a duration such as 30s")
  })
})
