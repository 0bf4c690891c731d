import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ACCOUNTS, CASES, FILTERED, ON_CONNECTION, OWN_ROLE, PROVIDERS, WHOLE } from '../api/policy-oracle.ts'
import { tempFolder } from '../temp-folder.ts'
import { runCli } from './run-cli.ts'

const FILE = `providers:
  pinterest: {client_id: x, client_secret: {env: NOT_SET}}
roles:
  token-user: [GetAccessToken, WatchAccessTokens, GetStatus]
callers:
  - name: ads-sync
    token_sha256: {command: [not-there]}
    allow:
      - {providers: [pinterest], accounts: ["*"], roles: [token-user]}
      - {providers: ["square*"], accounts: ["", "shop-*"], methods: [GetAccessToken], scopes: ["ads:*"]}
      - {providers: ["square*"], accounts: ["*"], methods: [GetAccessToken], scopes: [boards]}
  - {name: idle, spiffe: "spiffe://a/b", allow: []}
  - {name: gone, token_sha256: {env: A}, expires: 2026-11-20T12:00:00Z, allow: [{providers: ["*"], accounts: ["*"], roles: [reader]}]}
  - {name: half, token_sha256: [{env: A}, {env: B}], expires: [2026-11-20T12:00:00Z, 2026-11-20T12:00:01Z], allow: [{providers: ["*"], accounts: ["*"], roles: [reader]}]}
  - {name: boss, dns: boss.internal, allow: [{providers: ["*"], accounts: ["*"], roles: [admin]}]}
`

function ask(words: string, file = FILE) {
  const path = join(tempFolder('policy'), 'broker.yaml')
  writeFileSync(path, file)
  return runCli(['policy', 'test', '--config', path, ...words.split(' ')])
}

/** A connection of the caller that most tests are about. */
const call = (method: string, connection = '') =>
  ask(`--caller ads-sync --method ${method}${connection && ` ${connection}`}`)

describe('policy test agrees with what the operator means', () => {
  const callers = CASES.map(
    ({ name, allow }) => `  - {name: ${name}, dns: ${name}.internal, allow: ${allow}}\n`,
  )
  const path = join(tempFolder('oracle'), 'broker.yaml')
  const names = [
    { provider: 'pinterest', account: 'acme' },
    { provider: 'square-eu', account: '' },
    { provider: 'nope', account: 'zeta' },
  ]
  const isAllowed = async (caller: string, method: string, connection: readonly string[]) => {
    const words = ['--config', path, '--caller', caller, '--method', method, ...connection, '--json']
    return JSON.parse((await runCli(['policy', 'test', ...words])).stdout).allowed
  }

  it.each(CASES)('by $name', async ({ name, may }) => {
    writeFileSync(path, `roles: {own: [${OWN_ROLE.join(', ')}]}\ncallers:\n${callers.join('')}`)
    for (const method of [...ON_CONNECTION, ...FILTERED]) {
      for (const { provider, account } of names) {
        const answer = await isAllowed(name, method, ['--provider', provider, '--account', account])
        expect([method, provider, account, answer]).toEqual([
          method,
          provider,
          account,
          may({ method, provider, account }),
        ])
      }
    }
    const every = PROVIDERS.flatMap(provider => ACCOUNTS.map(account => ({ provider, account })))
    for (const method of WHOLE) {
      expect([method, await isAllowed(name, method, [])]).toEqual([
        method,
        every.every(connection => may({ method, ...connection })),
      ])
    }
  })
})

describe('policy test', () => {
  it.each([
    [
      'by its role',
      'GetAccessToken',
      '--provider pinterest --account x',
      ':9 callers[0].allow[0] has GetAccessToken, WatchAccessTokens, GetStatus (by token-user) for the providers pinterest, the accounts *',
    ],
    [
      'by the beginning of names',
      'GetAccessToken',
      '--provider square-eu --account shop-7',
      ':10 callers[0].allow[1] has GetAccessToken for',
    ],
    ['for some connection', 'GetStatus', '', ':9 callers[0].allow[0] has'],
    [
      'with a scope',
      'GetAccessToken',
      '--provider square --scope ads:read',
      ':10 callers[0].allow[1] has GetAccessToken for the providers square*, the accounts "", shop-*, scopes ads:*',
    ],
  ])('says yes %s, and which rule does', async (_, method, connection, line) => {
    const { exitCode, stdout } = await call(method, connection)
    expect(stdout).toContain(line)
    expect(stdout).toMatch(/^allowed: ads-sync may call /)
    expect(exitCode).toBe(0)
  })

  it.each([
    ['CreateConsentLink', '', 1],
    ['ImportConnection', '', 1],
    ['ImportConnection', ' --scope ads:read', 0],
    ['GetAccessToken', '', 0],
  ])('asks %s%s for the scopes that the broker would', async (method, scopes, expected) => {
    const file = `providers:
  pinterest: {client_id: x, client_secret: {env: NOT_SET}, scopes: ["ads:read", boards]}
callers:
  - name: ads-sync
    dns: ads.internal
    allow: [{providers: [pinterest], accounts: ["*"], roles: [admin], scopes: ["ads:*"]}]
`
    const question = `--caller ads-sync --method ${method} --provider pinterest${scopes}`
    const { exitCode, stdout } = await ask(question, file)
    expect(exitCode).toBe(expected)
    expect(stdout.includes('does not let it name boards, only ads:*')).toBe(expected === 1)
  })

  it('says yes to scopes that several rules let it name, one each', async () => {
    const { exitCode, stdout } = await call(
      'GetAccessToken',
      '--provider square --scope ads:read --scope boards',
    )
    expect(exitCode).toBe(0)
    expect(stdout).toContain('allow[1] does not let it name boards, only ads:*')
    expect(stdout).toContain('allow[2] does not let it name ads:read, only boards')
  })

  it.each([
    [
      'the method',
      'Disconnect',
      '--provider pinterest',
      'allow[0] has no Disconnect, only GetAccessToken, WatchAccessTokens, GetStatus',
    ],
    ['the provider', 'GetStatus', '--provider square', 'allow[0] is for the providers pinterest'],
    [
      'the account',
      'GetAccessToken',
      '--provider square --account other --scope ads:read',
      'allow[1] is for the accounts "", shop-*',
    ],
    [
      'a scope',
      'GetAccessToken',
      '--provider square --scope x',
      'allow[1] does not let it name x, only ads:*',
    ],
    ['the method anywhere', 'ListProviders', '', 'allow[0] has no ListProviders'],
  ])('says no and what each rule lacks: %s', async (_, method, connection, line) => {
    const { exitCode, stdout } = await call(method, connection)
    expect(stdout).toContain(line)
    expect(stdout).toMatch(/^denied: ads-sync may not call /)
    expect(exitCode).toBe(1)
  })

  it.each([
    [
      'an unknown caller',
      '--caller ads-synk --method GetStatus',
      1,
      'no caller has this name; did you mean "ads-sync"?',
    ],
    ['a caller without rules', '--caller idle --method GetStatus', 1, 'it has no rules'],
    [
      'a caller whose only token has expired',
      '--caller gone --method GetStatus',
      0,
      'its token expired at 2026-11-20T12:00:00Z, so that no call of it is let in',
    ],
    [
      'a provider that does not exist',
      '--caller boss --method GetStatus --provider pinterset',
      0,
      'no provider pinterset is configured; did you mean "pinterest"?',
    ],
    [
      'the operator',
      '--caller operator --method RotateKeys',
      0,
      'the holder of operator.token may do everything',
    ],
    [
      'what is about the whole broker, for who may everything',
      '--caller boss --method RotateKeys',
      0,
      'allowed:',
    ],
  ])('knows %s', async (_, words, exitCode, text) => {
    const result = await ask(words)
    expect(result.stdout).toContain(text)
    expect(result.exitCode).toBe(exitCode)
  })

  it('says nothing of an end while one of two tokens is good', async () => {
    expect((await ask('--caller half --method GetStatus')).stdout).not.toContain('expired')
  })

  it('asks for a rule over everything where the call is about the whole broker', async () => {
    const partial = FILE.replace(
      'providers: ["*"], accounts: ["*"], roles: [admin]',
      'providers: ["*"], accounts: ["a*"], roles: [admin]',
    )
    const { exitCode, stdout } = await ask('--caller boss --method RotateKeys', partial)
    expect(stdout).toContain('is not for all: only for the providers *, the accounts a*')
    expect(exitCode).toBe(1)
  })

  it('knows that the operator’s token may be off', async () => {
    const { exitCode, stdout } = await ask(
      '--caller operator --method GetStatus',
      `operator_token: off\n${FILE}`,
    )
    expect(stdout).toContain('operator_token is off')
    expect(exitCode).toBe(1)
  })

  it('prints one JSON document', async () => {
    const { stdout, exitCode } = await call('GetStatus', '--provider pinterest --json')
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      caller: 'ads-sync',
      method: 'GetStatus',
      provider: 'pinterest',
      account: '',
      allowed: true,
      rules: [{ rule: 'callers[0].allow[0]', allows: true }, { allows: false }, { allows: false }],
    })
  })

  it.each([
    ['an unknown method', '--caller ads-sync --method GetTokens', /no RPC has this name/],
    ['a missing method', '--caller ads-sync', /--method/],
    [
      'an account without its provider',
      '--caller ads-sync --method GetStatus --account x',
      /say which --provider/,
    ],
  ])('refuses %s', async (_, words, message) => {
    const { exitCode, stderr } = await ask(words)
    expect(stderr).toMatch(message)
    expect(exitCode).toBe(64)
  })

  it('refuses a configuration that serve would refuse', async () => {
    const { exitCode, stderr } = await ask(
      '--caller idle --method GetStatus',
      FILE.replace('[token-user]', '[token-usr]'),
    )
    expect(stderr).toContain('callers[0].allow[0].roles[0]: no role has this name')
    expect(exitCode).toBe(78)
  })
})
