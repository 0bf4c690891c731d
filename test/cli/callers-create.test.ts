import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { systemConfigParts } from '../../src/config/system.ts'
import { tempFolder } from '../temp-folder.ts'
import { NOW, runCli } from './run-cli.ts'

const DAY_MS = 86_400_000

/** What `serve` reads of the lines that the command printed for `callers:`. */
async function loadBack(lines: string) {
  const file = join(tempFolder('callers'), 'broker.yaml')
  writeFileSync(file, `callers:\n${lines}\n`)
  const { callers } = await loadConfig({ ...systemConfigParts(file), env: {} })
  return callers
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

describe('callers create', () => {
  it.each([
    ['--allow', 'pinterest'],
    ['--allow', 'pinterest='],
    ['--allow', '=GetAccessToken'],
    ['--allow', 'pinterest=getaccesstoken'],
    ['--allow', 'Pinterest=GetAccessToken'],
    ['--expires', '366d'],
    ['--expires', '0'],
    ['--expires', 'never'],
  ])('refuses %s %s without printing a token, exit 64', async (...argv) => {
    const result = await runCli(['callers', 'create', 'ads-sync', ...argv])
    expect(result).toMatchObject({ exitCode: 64, stdout: '' })
    expect(result.stderr).not.toContain('tb_')
  })

  it.each(['operator', 'ads sync', ''])('refuses the name "%s", exit 64', async name => {
    const result = await runCli(['callers', 'create', name])
    expect(result).toMatchObject({ exitCode: 64, stdout: '' })
    expect(result.stderr).toContain('error: name: ')
  })

  it('prints lines that load back as what was asked for, for 90 days', async () => {
    const allow = ['--allow', 'pinterest=GetAccessToken,GetStatus', '--allow', 'square:shop=7*=*']
    const { exitCode, stdout, stderr } = await runCli(['callers', 'create', 'ads-sync', ...allow])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const [above = '', below = ''] = stdout.split(/^.*callers: in broker\.yaml.*$/m)
    const token = /^ {2}(tb_\w+)$/m.exec(above)?.[1] ?? ''
    expect(await loadBack(below)).toEqual([
      {
        name: 'ads-sync',
        proof: { kind: 'static_token', tokens: [{ sha256: sha256(token), expiresAtMs: NOW + 90 * DAY_MS }] },
        allow: [
          { providers: ['pinterest'], accounts: [''], methods: ['GetAccessToken', 'GetStatus'] },
          { providers: ['square'], accounts: ['shop=7*'], methods: ['*'] },
        ],
      },
    ])
    expect(below).not.toContain(token)
    expect(stdout).toContain('it expires in 90 d (2027-02-18T12:00:00Z)')
  })

  it('takes built-in roles among the methods', async () => {
    const { stdout } = await runCli(['callers', 'create', 'desk', '--allow', '*:*=reader,Refresh,operator'])
    expect(stdout).toContain(
      '- {providers: ["*"], accounts: ["*"], methods: [Refresh], roles: [reader, operator]}',
    )
    const [caller] = await loadBack(stdout.split('hash:\n')[1] ?? '')
    expect(caller?.allow[0]?.methods).toContain('Disconnect')
  })

  it('with --json prints the token and the lines', async () => {
    const argv = ['--allow', '*:*=GetStatus', '--expires', '365d', '--json']
    const { stdout } = await runCli(['callers', 'create', 'dashboards', ...argv])
    const { token, caller, yaml } = JSON.parse(stdout)
    expect(caller).toMatchObject({ name: 'dashboards', token_sha256: sha256(token) })
    expect(await loadBack(yaml)).toEqual([
      {
        name: 'dashboards',
        proof: { kind: 'static_token', tokens: [{ sha256: sha256(token), expiresAtMs: NOW + 365 * DAY_MS }] },
        allow: [{ providers: ['*'], accounts: ['*'], methods: ['GetStatus'] }],
      },
    ])
  })

  it('without --allow says on stderr that the caller may do nothing, without the token', async () => {
    const { stdout, stderr, exitCode } = await runCli(['callers', 'create', 'ads-sync'])
    expect(exitCode).toBe(0)
    expect(stderr).toContain('may do nothing yet')
    expect(stderr).not.toContain('tb_')
    const [caller] = await loadBack(stdout.split('hash:\n')[1] ?? '')
    expect(caller).toMatchObject({ name: 'ads-sync', allow: [] })
  })

  it('makes another token each time', async () => {
    const tokens = await Promise.all(
      ['a', 'b'].map(
        async name => JSON.parse((await runCli(['callers', 'create', name, '--json'])).stdout).token,
      ),
    )
    expect(tokens[0]).not.toBe(tokens[1])
  })
})
