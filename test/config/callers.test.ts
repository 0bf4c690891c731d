import { describe, expect, it } from 'vitest'
import { load, refusals, sha256 } from './world.ts'

const RULE = '{providers: [x], accounts: [""], methods: [GetStatus]}'

/** A file with one caller on lines 2 to 4, or 5 with `more`. */
function caller({ name = 'a', hash = `"${sha256(1)}"`, allow = `[${RULE}]`, more = '' } = {}): string {
  return `callers:\n  - name: ${name}\n    token_sha256: ${hash}\n    allow: ${allow}\n${more && `    ${more}\n`}`
}

describe('loadConfig() with a caller', () => {
  it.each([
    ['an unknown key', { more: 'alow: []' }, '5:5  callers[0].alow: unknown key; did you mean "allow"?'],
    [
      'a name with a space',
      { name: 'a b' },
      '2:5  callers[0].name: expected 1 to 64 letters, digits, dots, hyphens or underscores',
    ],
    [
      'a long name',
      { name: 'a'.repeat(65) },
      '2:5  callers[0].name: expected 1 to 64 letters, digits, dots, hyphens or underscores',
    ],
    [
      "the operator's name",
      { name: 'operator' },
      '2:5  callers[0].name: is the name of the holder of operator.token; take another',
    ],
    [
      'a short hash',
      { hash: 'abc' },
      '3:5  callers[0].token_sha256: expected the SHA-256 of the token as 64 hex digits, as `token-broker callers create` prints it',
    ],
    [
      'the token itself',
      { hash: 'tb_abc' },
      '3:5  callers[0].token_sha256: is the token itself; make a new one with `token-broker callers create`, keep its SHA-256',
    ],
    ['an unset variable', { hash: '{env: NO}' }, '3:5  callers[0].token_sha256: the variable NO is not set'],
    [
      'a variable of something else',
      { hash: '{env: HASH}' },
      '3:5  callers[0].token_sha256: expected the SHA-256 of the token as 64 hex digits, as `token-broker callers create` prints it',
    ],
    [
      'a day that is none',
      { more: 'expires: 2027-02-30' },
      '5:5  callers[0].expires: expected a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z',
    ],
    [
      'a time without zone',
      { more: 'expires: 2027-02-28T00:00:00' },
      '5:5  callers[0].expires: expected a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z',
    ],
    [
      'a length of time',
      { more: 'expires: 90d' },
      '5:5  callers[0].expires: expected a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z',
    ],
    [
      'no accounts',
      { allow: '[{providers: [x], accounts: [], methods: [GetStatus]}]' },
      '4:30  callers[0].allow[0].accounts: expected at least 1 in the list',
    ],
    [
      'no methods key',
      { allow: '[{providers: [x], accounts: ["*"]}]' },
      '4:13  callers[0].allow[0].methods: is missing; or roles',
    ],
    [
      'an unknown method',
      { allow: '[{providers: [x], accounts: ["*"], methods: [GetToken]}]' },
      '4:57  callers[0].allow[0].methods[0]: expected the name of an RPC without its service, or *',
    ],
    [
      'a misspelt method',
      { allow: '[{providers: [x], accounts: ["*"], methods: [getstatus]}]' },
      '4:57  callers[0].allow[0].methods[0]: expected the name of an RPC without its service, or *; did you mean "GetStatus"?',
    ],
    [
      'the beginning of methods',
      { allow: '[{providers: [x], accounts: ["*"], methods: ["Get*"]}]' },
      '4:57  callers[0].allow[0].methods[0]: expected the name of an RPC without its service, or *',
    ],
    [
      'a star inside a provider',
      { allow: '[{providers: ["x*y"], accounts: ["*"], methods: ["*"]}]' },
      '4:26  callers[0].allow[0].providers[0]: expected the id of a provider, the beginning of one and *, or * alone',
    ],
    [
      'a star inside an account',
      { allow: '[{providers: ["*"], accounts: ["*-x"], methods: ["*"]}]' },
      '4:43  callers[0].allow[0].accounts[0]: * stands for the rest of a name, so only at its end',
    ],
    [
      'an account that is too long',
      { allow: `[{providers: ["*"], accounts: ["${'é'.repeat(129)}"], methods: ["*"]}]` },
      '4:43  callers[0].allow[0].accounts[0]: expected at most 256 bytes of NFC text without control characters',
    ],
    [
      'an account that is not NFC',
      { allow: '[{providers: ["*"], accounts: ["e\\u0301"], methods: ["*"]}]' },
      '4:43  callers[0].allow[0].accounts[0]: expected at most 256 bytes of NFC text without control characters',
    ],
    [
      'an account with a control character',
      { allow: '[{providers: ["*"], accounts: ["a\\nb"], methods: ["*"]}]' },
      '4:43  callers[0].allow[0].accounts[0]: expected at most 256 bytes of NFC text without control characters',
    ],
  ])('refuses %s', async (_, written, line) => {
    expect(await refusals(caller(written), { env: { HASH: 'not-a-hash' } })).toEqual([`broker.yaml:${line}`])
  })

  it('requires a name, a token and rules', async () => {
    expect(await refusals('callers: [{}]')).toEqual([
      'broker.yaml:1:11  callers[0].name: is missing',
      'broker.yaml:1:11  callers[0].allow: is missing',
      'broker.yaml:1:11  callers[0].token_sha256: is missing; or one of spiffe, dns and jwt',
    ])
  })

  it('refuses a name or a token twice', async () => {
    const twice = caller() + caller().replace('callers:\n', '')
    expect(await refusals(twice)).toEqual([
      'broker.yaml:5:5  callers[1].name: is the name of callers[0] too',
      'broker.yaml:6:5  callers[1].token_sha256: is the token of callers[0] too; each caller has its own',
    ])
  })

  it.each([
    ['2027-01-31', Date.UTC(2027, 0, 31)],
    ['2027-01-31T12:00:00Z', Date.UTC(2027, 0, 31, 12)],
    ['"2027-01-31T12:00:00+02:00"', Date.UTC(2027, 0, 31, 10)],
  ])('reads the end %s', async (written, expected) => {
    const proof = (await load(caller({ more: `expires: ${written}` }))).callers[0]?.proof
    expect(proof).toMatchObject({ tokens: [{ expiresAtMs: expected }] })
  })

  it('accepts a caller that may do nothing, and patterns of every kind', async () => {
    expect((await load(caller({ allow: '[]' }))).callers[0]?.allow).toEqual([])
    const rule = {
      providers: ['*', 'square*', 'square-eu'],
      accounts: ['', '*', 'a*', 'é'],
      methods: ['*', 'GetStatus'],
    }
    expect((await load(caller({ allow: JSON.stringify([rule]) }))).callers[0]?.allow).toEqual([rule])
  })
})
