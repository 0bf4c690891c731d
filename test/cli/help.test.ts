import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/cli/exit.ts'
import { runCli } from './run-cli.ts'

const docs = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

const COMMANDS = [
  ['serve'],
  ['demo'],
  ['sandbox'],
  ['connect'],
  ['token'],
  ['status'],
  ['list'],
  ['refresh'],
  ['disconnect'],
  ['import'],
  ['watch'],
  ['health'],
  ['audit', 'find'],
  ['audit', 'list'],
  ['audit', 'export'],
  ['keys', 'status'],
  ['keys', 'rotate'],
  ['keys', 'rewrap'],
  ['rebind'],
  ['config', 'check'],
  ['policy', 'test'],
  ['doctor'],
  ['callers', 'create'],
  ['backup'],
  ['restore'],
]

/** The part of docs/cli.md about one command. */
function chapter(command: readonly string[]): string {
  return docs.split(/^## /m).find(part => part.startsWith(`${command.join(' ')}\n`)) ?? ''
}

describe('help', () => {
  it('lists every command, and none that is not there yet', async () => {
    const { stdout, stderr, exitCode } = await runCli(['--help'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const listed = [...stdout.matchAll(/^ {2}([a-z]+)(?: \S+)* {2,}\S/gm)].map(match => match[1])
    expect(listed).toEqual([...new Set(COMMANDS.map(([name]) => name)), 'help'])
  })

  it('lists every exit code', async () => {
    const { stdout } = await runCli(['--help'])
    const listed = [...stdout.matchAll(/^ {2}(\d+) +\S/gm)].map(match => Number(match[1]))
    expect(listed).toEqual(Object.values(EXIT))
    for (const code of Object.values(EXIT)) expect(docs).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'))
  })

  it('goes to stderr if no command is named, exit 64', async () => {
    for (const argv of [[], ['config'], ['callers']]) {
      const result = await runCli(argv)
      expect(result).toMatchObject({ exitCode: 64, stdout: '' })
      expect(result.stderr).toContain('Usage: token-broker')
    }
  })

  it.each(COMMANDS.map(words => words.join(' ')))(
    'of %s names nothing that docs/cli.md does not explain',
    async name => {
      const command = name.split(' ')
      const { stdout, exitCode } = await runCli([...command, '--help'])
      expect(exitCode).toBe(0)
      const explained = ['--help', '--json', '--account', '--config']
      const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(match => match[1] ?? '')
      expect(options).toContain('--help')
      for (const option of options.filter(option => !explained.includes(option))) {
        expect(chapter(command)).toContain(option)
      }
    },
  )

  it('with --json is one document for a command line that makes no sense, exit 64', async () => {
    const { stdout, exitCode } = await runCli(['status', '--json'])
    expect(exitCode).toBe(64)
    expect(JSON.parse(stdout)).toEqual({ error: { message: "missing required argument 'provider'" } })
  })

  it.each(['connect', 'token', 'status', 'refresh', 'disconnect', 'rebind'])(
    'of %s is given to who writes a connection as watch does, exit 64',
    async command => {
      const { stderr, exitCode } = await runCli([command, 'acme/shop'])
      expect(exitCode).toBe(64)
      expect(stderr).toContain('The account is an option here: acme --account shop')
    },
  )
})
