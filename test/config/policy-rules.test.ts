import { describe, expect, it } from 'vitest'
import { METHODS } from '../../src/config/methods.ts'
import { withBuiltInRoles } from '../../src/config/roles.ts'
import { load, refusals, sha256 } from './world.ts'

/** A file with one caller whose rule stands on line 5, and whatever else on the lines before. */
function file(rule: string, { roles = '{}', more = '{}' } = {}): string {
  const merged = more.slice(1, -1)
  return `roles: ${roles}\ncallers:\n  - name: a\n    token_sha256: "${sha256(1)}"\n    allow: [${rule}]\n${merged && `    ${merged}\n`}`
}

const rule = (more: string) => `{providers: [x], accounts: [""], ${more}}`

async function rulesOf(written: string, roles?: string) {
  return (await load(file(written, { roles }))).callers[0]?.allow
}

describe('a rule', () => {
  it.each([
    [
      'without methods and roles',
      '{providers: [x], accounts: [""]}',
      '5:13  callers[0].allow[0].methods: is missing; or roles',
    ],
    ['with no role', rule('roles: []'), '5:46  callers[0].allow[0].roles: expected at least 1 in the list'],
    [
      'with a role that is no name',
      rule('roles: [Reader]'),
      '5:54  callers[0].allow[0].roles[0]: expected the name of a role: 1 to 63 of a-z, 0-9 and "-", beginning with a letter',
    ],
    [
      'with an unknown role',
      rule('roles: [reeder]'),
      '5:54  callers[0].allow[0].roles[0]: no role has this name; there are reader, operator, auditor, admin; did you mean "reader"?',
    ],
    [
      'with a star inside a scope',
      rule('methods: [GetAccessToken], scopes: ["a*b"]'),
      '5:82  callers[0].allow[0].scopes[0]: * stands for the rest of a name, so only at its end',
    ],
    [
      'with two scopes in one',
      rule('methods: [GetAccessToken], scopes: ["a b"]'),
      '5:82  callers[0].allow[0].scopes[0]: expected a scope, the beginning of one and *, or * alone',
    ],
  ])('%s is refused', async (_, written, line) => {
    expect(await refusals(file(written))).toEqual([`broker.yaml:${line}`])
  })

  it('has the methods of its roles beside its own, each once', async () => {
    const [first] =
      (await rulesOf(
        rule('methods: [GetStatus, GetAccessToken], roles: [reader, own]'),
        '{own: [Refresh, GetStatus]}',
      )) ?? []
    expect(first?.methods).toEqual([
      'GetStatus',
      'GetAccessToken',
      'ListConnections',
      'ListProviders',
      'WatchConnections',
      'Refresh',
    ])
    expect(first?.roles).toEqual(['reader', 'own'])
  })

  it('may limit scopes, also to none', async () => {
    expect(await rulesOf(rule('methods: [GetAccessToken], scopes: []'))).toMatchObject([{ scopes: [] }])
    expect(await rulesOf(rule('methods: [GetAccessToken], scopes: ["ads:*", x, "*"]'))).toMatchObject([
      { scopes: ['ads:*', 'x', '*'] },
    ])
    expect((await rulesOf(rule('methods: [GetAccessToken]')))?.[0]).not.toHaveProperty('scopes')
  })
})

describe('roles', () => {
  it.each([
    [
      'the name of a built-in one',
      '{admin: [GetStatus]}',
      '1:9  roles.admin: is a built-in role; take another name',
    ],
    [
      'a name that is none',
      '{"a b": [GetStatus]}',
      '1:9  roles["a b"]: expected the name of a role: 1 to 63 of a-z, 0-9 and "-", beginning with a letter',
    ],
    [
      'an unknown method',
      '{own: [GetTokens]}',
      '1:15  roles.own[0]: expected the name of an RPC without its service, or *',
    ],
    ['no methods', '{own: []}', '1:9  roles.own: expected at least 1 in the list'],
  ])('with %s are refused', async (_, roles, line) => {
    expect(await refusals(file(rule('methods: [GetStatus]'), { roles }))).toEqual([`broker.yaml:${line}`])
  })

  it('that are built in name methods that exist, each wider than the one before', () => {
    const [reader = [], operator = [], admin = []] = ['reader', 'operator', 'admin'].map(name =>
      withBuiltInRoles([]).get(name),
    )
    expect([...reader, ...operator].filter(method => !METHODS.includes(method))).toEqual([])
    expect(reader.filter(method => !operator.includes(method))).toEqual([])
    expect(admin).toEqual(['*'])
  })

  it('below admin hand out no token, take none in, and touch no key', () => {
    const secret = [
      'GetAccessToken',
      'WatchAccessTokens',
      'ImportConnection',
      'FindReleases',
      'RotateKeys',
      'RewrapKeys',
      'RebindConnections',
    ]
    const operator = withBuiltInRoles([]).get('operator') ?? []
    expect(operator.filter(method => secret.includes(method))).toEqual([])
  })
})

describe('calls_per_minute', () => {
  it.each([
    ['0', 'callers[0].calls_per_minute: '],
    ['1.5', 'callers[0].calls_per_minute: '],
    ['1000001', 'callers[0].calls_per_minute: '],
    ['many', 'callers[0].calls_per_minute: '],
  ])('refuses %s', async (written, line) => {
    const lines = await refusals(
      file(rule('methods: [GetStatus]'), { more: `{calls_per_minute: ${written}}` }),
    )
    expect(lines).toEqual([expect.stringContaining(line)])
  })

  it('is of the caller', async () => {
    const config = await load(file(rule('methods: [GetStatus]'), { more: '{calls_per_minute: 600}' }))
    expect(config.callers[0]?.callsPerMinute).toBe(600)
  })
})
