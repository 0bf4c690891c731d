import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type DisconnectRequest,
  DisconnectResponse,
  Revocation,
  Shared,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
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

describe('refresh', () => {
  const failed = statusOf({
    healthy: false,
    diagnosis: 'the grant is dead; run token-broker connect pinterest',
    lastError: {
      class: 'reauthorize',
      reason: 'REAUTH_REQUIRED',
      providerCode: '283',
      message: 'the provider refuses the refresh token',
      time: minutesFromNow(0),
    },
  })

  it('exits 1 if the provider refused, with the reason and what to do', async () => {
    const result = await run(['refresh', 'pinterest'], {
      refresh: () => ({ status: failed, refreshed: false }),
    })
    expect(result).toMatchObject({
      exitCode: 1,
      stdout:
        'pinterest: the refresh failed (REAUTH_REQUIRED: the provider refuses the refresh token)\n' +
        'the grant is dead; run token-broker connect pinterest\n',
    })
  })

  it('exits 1 if there is nothing to refresh with', async () => {
    const result = await run(['refresh', 'pinterest'], {
      refresh: () => {
        throw refusal(grpcStatus.FAILED_PRECONDITION, 'NO_REFRESH_TOKEN', 'there is nothing to refresh with')
      },
    })
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toContain('NO_REFRESH_TOKEN')
  })

  it('says when the new token expires', async () => {
    const result = await run(['refresh', 'pinterest'], {
      refresh: () => ({ status: statusOf(), refreshed: true }),
    })
    expect(result).toMatchObject({
      exitCode: 0,
      stdout: 'pinterest: refreshed, the access token expires in 30 min (2026-11-20T12:30:00Z)\n',
    })
  })

  it('exits 0 if it was refreshed moments ago', async () => {
    const result = await run(['refresh', 'pinterest'], {
      refresh: () => ({ status: statusOf(), refreshed: false }),
    })
    expect(result.exitCode).toBe(0)
    expect(result.stdout).toContain('not refreshed again')
  })

  it('with --json prints refreshed and the status', async () => {
    const { stdout, exitCode } = await run(['refresh', 'pinterest', '--json'], {
      refresh: () => ({ status: failed, refreshed: false }),
    })
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      refreshed: false,
      status: { lastError: { reason: 'REAUTH_REQUIRED' } },
    })
  })
})

describe('disconnect', () => {
  function answering(
    response: Parameters<typeof DisconnectResponse.fromPartial>[0],
    requests: DisconnectRequest[] = [],
  ): Answers {
    return {
      disconnect: request => {
        requests.push(request)
        return DisconnectResponse.fromPartial(response)
      },
    }
  }
  const revoked = answering({ revocation: Revocation.REVOKED })

  it('refuses without --yes where nobody can be asked, exit 64, and does nothing', async () => {
    const result = await run(['disconnect', 'pinterest'], revoked)
    expect(result.exitCode).toBe(64)
    expect(result.stderr).toContain('--yes')
    expect(broker?.calls).toEqual([])
  })

  it.each(['', 'n', 'nay', 'yesterday'])('does nothing if the answer is "%s", exit 1', async answer => {
    const result = await run(['disconnect', 'pinterest'], revoked, { answer })
    expect(result).toMatchObject({ exitCode: 1, stdout: '', stderr: 'Nothing was done.\n' })
    expect(broker?.calls).toEqual([])
  })

  it('says so in its one document with --json', async () => {
    const result = await run(['disconnect', 'pinterest', '--json'], revoked, { answer: 'n' })
    expect(result.exitCode).toBe(1)
    expect(JSON.parse(result.stdout)).toEqual({ error: { message: 'nothing was done' } })
  })

  it.each(['y', 'YES'])('asks, and disconnects if the answer is "%s"', async answer => {
    const result = await run(['disconnect', 'square', '--account', 'shop-7'], revoked, { answer })
    expect(result.questions).toEqual([
      'Disconnect square account "shop-7"? A human has to consent again to undo this. [y/N] ',
    ])
    expect(result).toMatchObject({
      exitCode: 0,
      stdout:
        'square account "shop-7": disconnected; the broker has forgotten its tokens.\n' +
        'The provider has confirmed the revocation.\n',
    })
  })

  it.each([
    [Revocation.UNSUPPORTED, 'The provider cannot revoke such tokens'],
    [Revocation.PENDING, 'the broker tries again'],
    [Revocation.NOTHING_TO_REVOKE, 'There was nothing to revoke'],
    [Revocation.UNSPECIFIED, 'did not say what was done'],
  ])('says what was done at the provider: %i', async (revocation, sentence) => {
    const { stdout } = await run(['disconnect', 'pinterest', '--yes'], answering({ revocation }))
    expect(stdout).toContain(sentence)
  })

  it('keeps what is shared unless told, names it, and says how to end it later', async () => {
    const requests: DisconnectRequest[] = []
    const response = {
      revocation: Revocation.SKIPPED_SHARED,
      sharedConnections: [{ provider: 'square', account: 'shop-8' }],
      staticTokenRemains: true,
    }
    const { stdout } = await run(['disconnect', 'square', '--yes'], answering(response, requests))
    expect(requests[0]?.shared).toBe(Shared.KEEP)
    expect(stdout).toContain(
      'Those go on until one of them is disconnected with --shared revoke: square account "shop-8"',
    )
    expect(stdout).toContain('The static token of the configuration answers for it from now on')
  })

  it('with --shared revoke asks for it and names what ends', async () => {
    const requests: DisconnectRequest[] = []
    const response = {
      revocation: Revocation.REVOKED,
      sharedConnections: [{ provider: 'square', account: 'shop-8' }],
    }
    const argv = ['disconnect', 'square', '--yes', '--shared', 'revoke']
    const { stdout } = await run(argv, answering(response, requests))
    expect(requests[0]?.shared).toBe(Shared.REVOKE)
    expect(stdout).toContain('which end with it: square account "shop-8"')
  })

  it('with --json prints the message', async () => {
    const { stdout } = await run(['disconnect', 'pinterest', '--yes', '--json'], revoked)
    expect(JSON.parse(stdout)).toEqual({
      revocation: 'REVOKED',
      sharedConnections: [],
      staticTokenRemains: false,
    })
  })
})
