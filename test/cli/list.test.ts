import { stripVTControlCharacters } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import {
  CircuitBreaker,
  type ListConnectionsRequest,
  ListConnectionsResponse,
  ListProvidersResponse,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { ConnectionState } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { type Answers, type FakeBroker, startFakeBroker } from './fake-server.ts'
import { minutesFromNow, statusOf } from './messages.ts'
import { type CliSetting, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function run(argv: readonly string[], answers: Answers, setting: CliSetting = {}) {
  broker = await startFakeBroker(answers)
  return runCli(['list', ...argv], { broker, ...setting })
}

const dead = statusOf({
  provider: 'square-eu',
  account: 'shop-7',
  state: ConnectionState.REAUTH_REQUIRED,
  connected: false,
  healthy: false,
  expireTime: undefined,
  providerAccountId: '',
  providerAccountName: '',
  diagnosis: 'consent again',
})

/** Two pages of one connection each. */
function twoPages(requests: ListConnectionsRequest[] = []): Answers {
  return {
    listConnections: request => {
      requests.push(request)
      return request.pageToken === ''
        ? { connections: [statusOf()], nextPageToken: 'page-2' }
        : { connections: [dead], nextPageToken: '' }
    },
  }
}

describe('list', () => {
  it('says how to connect if there is nothing', async () => {
    const empty = { listConnections: () => ListConnectionsResponse.fromPartial({}) }
    const result = await run([], empty)
    expect(result).toMatchObject({ exitCode: 0, stdout: '' })
    expect(result.stderr).toContain('token-broker connect')
  })

  it('shows all pages as one aligned table', async () => {
    const { stdout, exitCode } = await run([], twoPages())
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      [
        'PROVIDER   ACCOUNT  STATE            PROVIDER ACCOUNT  EXPIRES    LAST USED  PROBLEM',
        'pinterest  -        ACTIVE           jane (1234)       in 30 min  -',
        'square-eu  shop-7   REAUTH_REQUIRED  -                 -          -          consent again',
        '',
      ].join('\n'),
    )
  })

  it('aligns coloured cells by what is seen of them', async () => {
    const { stdout } = await run([], twoPages(), { terminal: true })
    const [headings, ...rows] = stripVTControlCharacters(stdout).trimEnd().split('\n')
    const column = headings?.indexOf('PROVIDER ACCOUNT') ?? -1
    expect(rows.map(row => row.slice(column - 2, column + 1))).toEqual(['  j', '  -'])
    expect(stdout).toContain('\u001b[31mREAUTH_REQUIRED')
  })

  it('asks for one provider and one state, in any spelling', async () => {
    const requests: ListConnectionsRequest[] = []
    await run(['--provider', 'square-eu', '--state', 'reauth-required'], twoPages(requests))
    expect(requests.map(({ provider, state, pageToken }) => [provider, state, pageToken])).toEqual([
      ['square-eu', ConnectionState.REAUTH_REQUIRED, ''],
      ['square-eu', ConnectionState.REAUTH_REQUIRED, 'page-2'],
    ])
  })

  it('with --json prints all pages as one document', async () => {
    const { stdout } = await run(['--json'], twoPages())
    expect(JSON.parse(stdout)).toMatchObject({
      connections: [{ provider: 'pinterest' }, { provider: 'square-eu', state: 'REAUTH_REQUIRED' }],
    })
  })

  it('refuses a state that is not stored and --providers with a filter, exit 64', async () => {
    const result = await runCli(['list', '--state', 'NOT_CONNECTED'])
    expect(result.exitCode).toBe(64)
    expect(result.stderr).toContain('Expected one of ACTIVE, REAUTH_REQUIRED, CONNECTION_MISCONFIGURED.')
    expect((await runCli(['list', '--providers', '--state', 'ACTIVE'])).exitCode).toBe(64)
  })
})

describe('list --providers', () => {
  const providers = ListProvidersResponse.fromPartial({
    providers: [
      {
        provider: 'pinterest',
        definition: 'pinterest',
        environment: 'production',
        redirectUri: 'http://localhost:8085/oauth/callback/pinterest',
        hasStaticToken: true,
        connectionCount: 12,
        reauthRequiredCount: 2,
        health: { lastSuccessTime: minutesFromNow(-1) },
      },
      { provider: 'a', definition: 'a', environment: 'test', health: { consecutiveFailures: 3 } },
      {
        provider: 'b',
        definition: 'b',
        environment: 'test',
        health: { misconfiguredSince: minutesFromNow(-9) },
      },
      { provider: 'c', definition: 'c', environment: 'test', health: { blockedUntil: minutesFromNow(9) } },
      { provider: 'd', definition: 'd', environment: 'test', health: { blockedUntil: minutesFromNow(-9) } },
      {
        provider: 'e',
        definition: 'e',
        environment: 'test',
        health: { breaker: CircuitBreaker.OPEN, openSince: minutesFromNow(-4), consecutiveFailures: 5 },
      },
      {
        provider: 'f',
        definition: 'f',
        environment: 'test',
        health: { holdingVerdictsSince: minutesFromNow(-2), retryBudget: 20 },
      },
      {
        provider: 'g',
        definition: 'g',
        environment: 'test',
        health: { lastSuccessTime: minutesFromNow(-1), waiting: 7, retryBudget: 3 },
      },
      { provider: 'h', definition: 'h', environment: 'test', health: { waiting: 7, retryBudget: 0 } },
    ],
  })

  it('shows what is configured and how each provider answers', async () => {
    const { stdout } = await run(['--providers'], { listProviders: () => providers })
    const rows = stdout.split('\n')
    expect(rows[1]).toMatch(
      /^pinterest +pinterest +production +12, 2 need consent, static token +ok +http:\/\/localhost:8085\/oauth/,
    )
    expect(rows[2]).toContain('3 failures in a row')
    expect(rows[3]).toContain('refuses our client since 9 min ago')
    expect(rows[4]).toContain('asked to wait, goes on in 9 min')
    expect(rows[5]).toContain('not called yet')
    expect(rows[6]).toContain('does not answer since 4 min ago, is probed')
    expect(rows[7]).toContain('refuses too many grants to be believed since 2 min ago')
    expect(rows[8]).toMatch(/ ok, 7 waiting +-$/)
    expect(rows[9]).toContain('not called yet, 7 waiting, its retries held back')
  })

  it('with --json prints the messages', async () => {
    const { stdout } = await run(['--providers', '--json'], { listProviders: () => providers })
    const printed = JSON.parse(stdout).providers
    expect(printed).toHaveLength(9)
    expect(printed[5].health).toMatchObject({ breaker: 'OPEN', openSince: minutesFromNow(-4).toISOString() })
  })
})
