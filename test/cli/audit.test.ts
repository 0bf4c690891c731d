import { afterEach, describe, expect, it } from 'vitest'
import {
  AuditRecord,
  FindReleasesResponse,
  type ListAuditRecordsRequest,
  ListAuditRecordsResponse,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { type Answers, type FakeBroker, startFakeBroker } from './fake-server.ts'
import { type CliSetting, NOW, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function run(argv: readonly string[], answers: Answers = {}, setting: CliSetting = {}) {
  broker = await startFakeBroker(answers)
  return runCli(['audit', ...argv], { broker, ...setting })
}

const record = AuditRecord.fromPartial({
  sequence: 7,
  time: new Date(NOW - 60_000),
  event: 'CONNECTION_DISCONNECTED',
  outcome: 'SUCCEEDED',
  caller: 'ops',
  authentication: 'operator_token',
  provider: 'square',
  account: '',
  peer: '127.0.0.1:5000',
  count: 1,
  details: { revocation: 'FILED' },
})
const started = AuditRecord.fromPartial({
  sequence: 8,
  time: new Date(NOW),
  event: 'BROKER_STARTED',
  outcome: 'SUCCEEDED',
  count: 1,
})

/** Two pages of one record, and an empty one between them, as a broker sends whose filter has found nothing yet. */
function pages(requests: ListAuditRecordsRequest[] = []): Answers {
  return {
    listAuditRecords: request => {
      requests.push(request)
      const records = { '': [record], two: [], three: [started] }[request.pageToken] ?? []
      const nextPageToken = { '': 'two', two: 'three' }[request.pageToken] ?? ''
      return ListAuditRecordsResponse.fromPartial({ records, nextPageToken })
    },
  }
}

describe('audit find', () => {
  const release = {
    caller: 'ads-sync',
    authentication: 'jwt',
    provider: 'pinterest',
    account: 'shop',
    connectionId: 'c1',
    version: 'v1',
    firstTime: new Date(NOW - 3_600_000),
    lastTime: new Date(NOW),
    count: 12,
  }

  it.each([
    ['a bare token', 'leaked-token\n'],
    ['a header', 'Authorization: Bearer leaked-token'],
    ['a quoted value', '"leaked-token"'],
  ])('asks for %s from stdin', async (_, stdin) => {
    const asked: string[] = []
    const findReleases: Answers['findReleases'] = ({ accessToken }) => {
      asked.push(accessToken)
      return FindReleasesResponse.fromPartial({ releases: [release], fingerprint: 'f'.repeat(32) })
    }
    const { stdout, exitCode } = await run(['find', '--token', '-'], { findReleases }, { stdin })
    expect({ asked, exitCode }).toEqual({ asked: ['leaked-token'], exitCode: 0 })
    expect(stdout).toMatch(/^CALLER .*\nads-sync +jwt +pinterest +shop +2026-11-20T11:00:00Z .* 12 +v1\n$/)
  })

  it('says if there may be more than an answer holds', async () => {
    const releases = Array.from({ length: 1_000 }, () => release)
    const findReleases = () => FindReleasesResponse.fromPartial({ releases, fingerprint: 'f'.repeat(32) })
    const { stderr } = await run(['find'], { findReleases }, { stdin: 'leaked-token' })
    expect(stderr).toContain(`audit export --event TOKEN_RELEASED | grep ${'f'.repeat(32)}`)
  })

  it('exits with 1 if nobody was given it', async () => {
    const findReleases = () => FindReleasesResponse.fromPartial({ fingerprint: 'f' })
    const result = await run(['find'], { findReleases }, { stdin: 'other' })
    expect(result).toMatchObject({ exitCode: 1, stdout: '' })
    expect(result.stderr).toContain('nobody was given this token')
    const json = await run(['find', '--json'], { findReleases }, { stdin: 'other' })
    expect(JSON.parse(json.stdout)).toEqual({ fingerprint: 'f', releases: [] })
  })

  it.each([
    ['nothing on stdin', ['find'], ''],
    ['two words', ['find'], 'canary one'],
    ['a whole file', ['find'], 'x'.repeat(65_537)],
    ['a token on the command line', ['find', '--token', 'canary-token'], ''],
  ])('refuses %s, exit 64', async (_, argv, stdin) => {
    const { exitCode, stdout, stderr } = await run(argv, {}, { stdin })
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' })
    expect(broker?.calls).toEqual([])
    expect(stderr).not.toContain('canary')
  })
})

describe('audit list', () => {
  it('prints the newest as a table', async () => {
    const requests: ListAuditRecordsRequest[] = []
    const { stdout, exitCode } = await run(['list'], pages(requests))
    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^TIME +EVENT +OUTCOME +CALLER +PROVIDER +ACCOUNT +PEER +MORE$/),
      expect.stringMatching(
        /^2026-11-20T11:59:00Z +CONNECTION_DISCONNECTED +SUCCEEDED +ops +square +- +127.0.0.1:5000 +revocation=FILED$/,
      ),
      expect.stringMatching(/^2026-11-20T12:00:00Z +BROKER_STARTED +SUCCEEDED +- +- +- +-$/),
      '',
    ])
    expect(requests.map(({ pageToken }) => pageToken)).toEqual(['', 'two', 'three'])
  })

  it('stops at the limit', async () => {
    const { stdout } = await run(['list', '--limit', '1', '--json'], pages())
    expect(JSON.parse(stdout).records).toMatchObject([{ sequence: 7, event: 'CONNECTION_DISCONNECTED' }])
    expect(broker?.calls).toHaveLength(1)
  })

  it('passes filters on', async () => {
    const requests: ListAuditRecordsRequest[] = []
    const filters = ['--since', '24h', '--until', '2026-11-20', '--caller', 'ads', '--provider', 'square']
    await run(['list', ...filters, '--account', '', '--event', 'token-released'], pages(requests))
    expect(requests[0]).toMatchObject({
      startTime: new Date(NOW - 86_400_000),
      endTime: new Date('2026-11-20T00:00:00Z'),
      caller: 'ads',
      provider: 'square',
      accountFilter: { $case: 'account', value: '' },
      event: 'TOKEN_RELEASED',
      oldestFirst: false,
    })
  })

  it.each([
    ['--since', 'yesterday'],
    ['--until', '2026-13-45'],
    ['--limit', '0'],
  ])('refuses %s %s, exit 64', async (...option) => {
    expect(await run(['list', ...option])).toMatchObject({ exitCode: 64 })
  })

  it('says so if there is nothing', async () => {
    const empty = { listAuditRecords: () => ListAuditRecordsResponse.fromPartial({}) }
    expect(await run(['list'], empty)).toMatchObject({ exitCode: 0, stdout: '', stderr: 'No records.\n' })
  })
})

describe('audit export', () => {
  it('prints every record on a line of its own, the oldest first', async () => {
    const requests: ListAuditRecordsRequest[] = []
    const { stdout, exitCode } = await run(['export'], pages(requests))
    expect(exitCode).toBe(0)
    expect(requests.every(({ oldestFirst }) => oldestFirst)).toBe(true)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      {
        type: 'audit',
        sequence: 7,
        time: '2026-11-20T11:59:00.000Z',
        event: 'CONNECTION_DISCONNECTED',
        outcome: 'SUCCEEDED',
        caller: 'ops',
        authentication: 'operator_token',
        provider: 'square',
        account: '',
        peer: '127.0.0.1:5000',
        count: 1,
        details: { revocation: 'FILED' },
      },
      {
        type: 'audit',
        sequence: 8,
        time: '2026-11-20T12:00:00.000Z',
        event: 'BROKER_STARTED',
        outcome: 'SUCCEEDED',
        count: 1,
      },
    ])
  })
})
