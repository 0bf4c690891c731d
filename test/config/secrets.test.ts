import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fixture, load, refusals } from './world.ts'

const LITERAL =
  'a secret never stands in this file; write {env: NAME}, {file: PATH} or {command: [PROGRAM, ARGUMENT, ...]}'

/** A provider whose secret is the only thing that can be wrong. */
function withSecret(secret: string): string {
  return `providers:\n  a:\n    definition: {issuer: https://a.example}\n    client_id: x\n    client_secret: ${secret}\n`
}

describe('loadConfig() with a secret', () => {
  it.each([
    ['an unset variable', '{env: NOPE}', 'the variable NOPE is not set'],
    ['an empty variable', '{env: EMPTY}', 'the variable EMPTY gives an empty value'],
    ['a variable that is one line break', '{env: NEWLINE}', 'the variable NEWLINE gives an empty value'],
    [
      'a variable of two lines',
      '{env: LINES}',
      'the variable LINES gives several lines or control characters; a secret is one line',
    ],
    ['a variable that is too long', '{env: LONG}', 'the variable LONG gives more than 64 KiB'],
    ['an absent file', '{file: nope}', 'the file /srv/nope does not exist'],
    ['an empty file', '{file: /empty}', 'the file /empty gives an empty value'],
    ['a file that is too large', '{file: /large}', 'the file /large is larger than 64 KiB'],
    ['a file that is not UTF-8', '{file: /binary}', 'the file /binary is not UTF-8 text'],
    ['a word that is no text', '{command: [false, hunter2]}', 'expected text; put the value in quotes'],
    ['a failing command', '{command: [vault, hunter2]}', 'the command vault ended with exit code 1'],
    ['a command that prints nothing', '{command: ["true"]}', 'the command true gives an empty value'],
  ])('refuses %s: %s', async (_, secret, message) => {
    const lines = await refusals(withSecret(secret), {
      env: { EMPTY: '', NEWLINE: '\n', LINES: 'a\nb', LONG: 'x'.repeat(64 * 1024 + 1) },
      files: { '/empty': '', '/large': 'x'.repeat(64 * 1024 + 1), '/binary': Uint8Array.of(0xff) },
      commands: { true: '' },
    })
    expect(lines).toEqual([expect.stringMatching(/^broker\.yaml:5:\d+ {2}providers\.a\.client_secret\S*: /)])
    expect(lines[0]?.endsWith(`: ${message}`)).toBe(true)
    expect(lines[0]).not.toContain('hunter2')
  })

  it.each([
    ['text', 'hunter2', LITERAL],
    ['a number', '12345', LITERAL],
    ['a list with text', '[{env: A}, hunter2]', LITERAL],
    ['an empty list', '[]', 'expected at least 1 in the list'],
    ['nothing', '', 'has no value; give it one or remove the key'],
    ['an unknown source', '{vault: x}', 'unknown key'],
    ['a misspelt source', '{files: x}', 'unknown key; did you mean "file"?'],
    ['no source', '{}', 'expected exactly one of env, file and command'],
    ['two sources', '{env: A, file: b}', 'expected exactly one of env, file and command'],
    ['a value for the name of a variable', '{env: hunter-2}', 'expected the name of an environment variable'],
    ['a command line', '{command: cat x}', 'expected a list'],
    ['a command of no words', '{command: []}', 'expected at least 1 in the list'],
  ])('refuses %s', async (_, secret, message) => {
    const lines = await refusals(withSecret(secret))
    expect(lines[0]).toMatch(/^broker\.yaml:5:\d+ {2}providers\.a\.client_secret/)
    expect(lines[0]?.endsWith(`: ${message}`)).toBe(true)
    expect(lines.join()).not.toMatch(/hunter|12345/)
  })

  it.each([
    ['a\n', 'a'],
    ['a\r\n', 'a'],
    ['a', 'a'],
    [' a ', ' a '],
  ])('reads %j as %j', async (raw, value) => {
    const config = await load(withSecret('[{env: A}, {file: /a}, {command: [a]}]'), {
      env: { A: raw },
      files: { '/a': raw },
      commands: { a: raw },
    })
    const secrets = config.providers.get('a')?.clientSecrets ?? []
    expect(secrets.map(secret => secret.expose())).toEqual([value, value, value])
  })

  it('never shows one, however the configuration is printed', async () => {
    const yaml = `listen: {grpc: [{address: 127.0.0.1:1, tls: {cert: c.pem, key: key.pem}}]}
root_key: {env: A}
providers:
  a:
    definition: {issuer: https://a.example}
    client_id: x
    client_secret: [{env: A}, {file: f}, {command: [c]}]
    static_access_token: {env: A}
`
    const key = fixture('key.pem')
    const marked = fc.stringMatching(/^[!-~]{4,40}$/).map(text => `CANARY${text}`)
    await fc.assert(
      fc.asyncProperty(marked, async secret => {
        const config = await load(yaml, {
          env: { A: secret },
          files: { '/srv/f': secret, '/srv/c.pem': fixture('cert.pem'), '/srv/key.pem': key },
          commands: { c: secret },
        })
        const printed = [
          JSON.stringify(config),
          JSON.stringify([...config.providers]),
          inspect(config, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
          `${config.providers.get('a')?.clientSecrets}`,
        ].join('\n')
        expect(printed).not.toContain('CANARY')
        expect(printed).not.toContain('PRIVATE KEY')
      }),
      { numRuns: 25 },
    )
  })

  it('never shows one when the rest is wrong', async () => {
    const lines = await refusals(`${withSecret('{env: A}')}    static_access_token: {env: B}\n`, {
      env: { A: 'CANARY\u0007', B: 'CANARY with spaces' },
    })
    expect(lines).toEqual([
      'broker.yaml:5:5  providers.a.client_secret: the variable A gives several lines or control characters; a secret is one line',
      'broker.yaml:6:5  providers.a.static_access_token: is not an access token: expected at most 16384 visible ASCII characters',
    ])
  })
})
