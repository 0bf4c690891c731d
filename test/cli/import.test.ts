import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  ImportCheck,
  type ImportConnectionRequest,
  ImportConnectionResponse,
  ImportOutcome,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { tempFolder } from '../temp-folder.ts'
import { type Answers, type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { statusOf } from './messages.ts'
import { type CliSetting, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

const QUICKSTART = {
  name: 'access_token_1',
  access_token: 'pina_canary',
  refresh_token: 'pinr.canary',
  scopes: 'ads:read,boards:read',
}

async function run(argv: readonly string[], setting: CliSetting = {}, answers: Answers = {}) {
  const requests: ImportConnectionRequest[] = []
  const importConnection = (request: ImportConnectionRequest) => {
    requests.push(request)
    const { provider, account } = request
    const status = statusOf({ provider, account })
    return ImportConnectionResponse.fromPartial({ status, outcome: ImportOutcome.IMPORTED })
  }
  broker = await startFakeBroker({ importConnection, ...answers })
  const result = await runCli(['import', '--provider', 'pinterest', ...argv], { broker, ...setting })
  expect(result.stdout + result.stderr).not.toContain('canary')
  return { ...result, requests }
}

function written(text: string): string {
  const file = join(tempFolder('import'), 'grants.json')
  writeFileSync(file, text)
  return file
}

function answering(response: Parameters<typeof ImportConnectionResponse.fromPartial>[0]): Answers {
  return { importConnection: () => ImportConnectionResponse.fromPartial(response) }
}

describe('import refuses', () => {
  it.each<[string, string[], CliSetting, number, string]>([
    ['nothing at all', [], { stdin: ' \n' }, 64, 'no token in the input'],
    ['to read from a terminal', [], { answer: '' }, 64, 'stays visible there'],
    [
      'a file that is not there',
      ['/nowhere/grants.json'],
      {},
      78,
      'cannot read /nowhere/grants.json (ENOENT)',
    ],
    ['an input without end', [], { stdin: 'x'.repeat(16 * 1024 * 1024 + 1) }, 64, 'longer than 16 MiB'],
    ['one account for two grants', ['--account', 'a'], { stdin: '{}\n{}' }, 64, 'has 2 grants'],
    ['a check that is none', ['--check', 'hope'], { stdin: 'pina_canary' }, 64, 'Allowed choices'],
  ])('%s', async (_, argv, setting, exitCode, sentence) => {
    const result = await run(argv, setting)
    expect(result.exitCode).toBe(exitCode)
    expect(result.stderr).toContain(sentence)
    expect(result.requests).toEqual([])
  })

  it.each([
    ['an array', '[{}]', 'write one object per line'],
    ['an object without a token', '{"name": "canary-name"}', 'access_token: not as expected, or absent'],
    ['a field that it does not know', '{"access_token": "canary", "expires": 1}', 'unknown field: expires'],
    ['a time that is none', '{"access_token": "x", "expire_time": "canary"}', 'expected a time such as'],
    ['three lines of tokens', 'canary\ncanary\ncanary', 'one line, or two'],
    ['a broken object', '{"access_token": "canary', 'this line is no JSON object'],
  ])('%s, exit 1, and quotes no token', async (_, stdin, sentence) => {
    const result = await run(['--account', 'mine'], { stdin })
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain(`pinterest account "mine": line 1: not taken:`)
    expect(result.stdout).toContain(sentence)
    expect(result.requests).toEqual([])
  })

  it('to report anything where no caller is known', async () => {
    const result = await run(
      [],
      { stdin: '{"access_token": "canary"}' },
      {
        importConnection: () => {
          throw refusal(grpcStatus.PERMISSION_DENIED, 'ACCESS_DENIED', 'you may not')
        },
      },
    )
    expect(result).toMatchObject({ exitCode: 77, stdout: '' })
  })
})

describe('import', () => {
  it('takes the file of the Pinterest quickstart; its name becomes the account', async () => {
    const result = await run([written(JSON.stringify(QUICKSTART, undefined, 2))])
    expect(result).toMatchObject({
      exitCode: 0,
      stdout: 'pinterest account "access_token_1": imported, as jane (1234)\n',
    })
    expect(result.requests).toEqual([
      {
        provider: 'pinterest',
        account: 'access_token_1',
        credential: { $case: 'accessToken', value: 'pina_canary' },
        refreshToken: 'pinr.canary',
        expireTime: undefined,
        refreshExpireTime: undefined,
        scopes: ['ads:read', 'boards:read'],
        providerAccountId: '',
        variables: {},
        attributes: {},
        check: ImportCheck.UNSPECIFIED,
        replace: false,
      },
    ])
  })

  it.each([
    ['--check verify', { check: ImportCheck.VERIFY }],
    ['--check refresh', { check: ImportCheck.REFRESH }],
    ['--replace', { replace: true }],
    ['--account mine', { account: 'mine' }],
    ['--migration-token', { credential: { $case: 'migrationToken', value: 'pina_canary' } }],
  ])('with %s says so to the broker', async (options, expected) => {
    const stdin = JSON.stringify({ ...QUICKSTART, refresh_token: null })
    const { requests } = await run(options.split(' '), { stdin })
    expect(requests).toEqual([expect.objectContaining(expected)])
  })

  it('with an empty --account takes the system-level credential, whatever the name', async () => {
    const { requests } = await run(['--account', ''], { stdin: JSON.stringify(QUICKSTART) })
    expect(requests[0]?.account).toBe('')
  })

  it('takes bare tokens: the refresh token is the second line', async () => {
    const { requests } = await run(['-'], { stdin: '\ufeffpina_canary\r\npinr.canary\r\n' })
    expect(requests[0]).toMatchObject({
      account: '',
      credential: { value: 'pina_canary' },
      refreshToken: 'pinr.canary',
    })
  })

  it('takes every field of an object', async () => {
    const stdin = JSON.stringify({
      access_token: 'canary',
      account: 'shop-7',
      scopes: ['a', 'b', 'a'],
      expire_time: '2026-12-20T12:00:00Z',
      refresh_expire_time: '2027-01-19T12:00:00+01:00',
      provider_account_id: '77',
      variables: { shop: 'x' },
      attributes: { realm_id: 'y' },
    })
    const { requests } = await run([], { stdin })
    expect(requests[0]).toMatchObject({
      account: 'shop-7',
      scopes: ['a', 'b'],
      expireTime: new Date('2026-12-20T12:00:00Z'),
      refreshExpireTime: new Date('2027-01-19T11:00:00Z'),
      providerAccountId: '77',
      variables: { shop: 'x' },
      attributes: { realm_id: 'y' },
    })
  })

  const MANY = ['a', 'b', 'c'].map(account => JSON.stringify({ access_token: 'canary', account })).join('\n')

  it('of many goes on after one that was refused, and exits 1', async () => {
    const result = await run(
      [],
      { stdin: `${MANY}\n\nnot json` },
      {
        importConnection: ({ account }) => {
          if (account === 'b') {
            const details = { help: 'Import with replace' }
            throw refusal(grpcStatus.ALREADY_EXISTS, 'CONNECTION_EXISTS', 'it is connected', details)
          }
          const outcome = account === 'a' ? ImportOutcome.ALREADY_THERE : ImportOutcome.IMPORTED
          return ImportConnectionResponse.fromPartial({ outcome })
        },
      },
    )
    expect(result).toMatchObject({
      exitCode: 1,
      stdout: [
        'pinterest account "a": already there, nothing was changed',
        'pinterest account "b": line 2: not taken: it is connected (CONNECTION_EXISTS)',
        '  help: Import with replace',
        'pinterest account "c": imported',
        'pinterest: line 5: not taken: this line is no JSON object',
        '2 of 4 taken, 2 not; repeat the import with what was not',
        '',
      ].join('\n'),
    })
  })

  it.each([
    ['two', 2, 'lines 1 and 2'],
    ['five', 5, 'lines 1, 2, 3, 4 and 5'],
    ['seven', 7, 'lines 1, 2, 3, 4, 5 and 2 more'],
  ])('of %s different grants for one account takes none of them, but the others', async (_, count, lines) => {
    const grants = Array.from({ length: count }, (_, n) => ({ access_token: `canary-${n}`, name: 'a' }))
    const stdin = [...grants, { access_token: 'canary', account: 'b' }]
      .map(grant => JSON.stringify(grant))
      .join('\n')
    const { stdout, exitCode, requests } = await run(['--replace'], { stdin })
    expect(exitCode).toBe(1)
    expect(stdout.split('\n')[1]).toBe(
      `pinterest account "a": line 2: not taken: ${lines} bring different grants for this account: leave the one that is in use`,
    )
    expect(stdout).toContain(`1 of ${count + 1} taken, ${count} not`)
    expect(requests.map(({ account }) => account)).toEqual(['b'])
  })

  it('of the system-level credential twice, because no line says an account, takes neither', async () => {
    const stdin = '{"access_token": "canary-1"}\n{"access_token": "canary-2", "account": ""}'
    const { requests, exitCode } = await run(['--replace'], { stdin })
    expect({ requests, exitCode }).toEqual({ requests: [], exitCode: 1 })
  })

  it('of the same grant twice leaves it to the broker to know it again', async () => {
    const stdin = `${JSON.stringify(QUICKSTART)}\n${JSON.stringify({ ...QUICKSTART, access_token: 'canary' })}`
    const { requests, exitCode } = await run([], { stdin })
    expect(exitCode).toBe(0)
    expect(requests.map(({ refreshToken }) => refreshToken)).toEqual(['pinr.canary', 'pinr.canary'])
  })

  it('of an access token with and without its refresh token takes neither', async () => {
    const stdin = `${JSON.stringify(QUICKSTART)}\n${JSON.stringify({ ...QUICKSTART, refresh_token: null })}`
    expect((await run([], { stdin })).requests).toEqual([])
  })

  it('reports a refresh that failed, exit 1', async () => {
    const note = 'the grant is stored, but pinterest did not renew it'
    const answer = answering({ outcome: ImportOutcome.REFRESH_FAILED, note, status: statusOf() })
    const result = await run([], { stdin: 'canary' }, answer)
    expect(result).toMatchObject({ exitCode: 1, stdout: `pinterest: ${note}\n` })
  })

  it('shows the note of the broker and what is the matter', async () => {
    const status = statusOf({ healthy: false, diagnosis: 'the grant is dead' })
    const answer = answering({ outcome: ImportOutcome.ALREADY_THERE, note: 'a note', status })
    const { stdout, exitCode } = await run([], { stdin: 'canary' }, answer)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('  note: a note\n  the grant is dead\n')
  })

  it('with --json prints one document', async () => {
    const stdin = `${MANY}\n{"name": "d"}`
    const { stdout, exitCode } = await run(['--json'], { stdin })
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      taken: 3,
      results: [
        { account: 'a', line: 1, outcome: 'IMPORTED', status: { state: 'ACTIVE' } },
        { account: 'b' },
        { account: 'c' },
        { account: 'd', line: 4, error: { message: expect.stringContaining('access_token') } },
      ],
    })
  })
})
