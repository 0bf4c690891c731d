import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadDataConfig } from '../../src/config/data.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { createRunCommand } from '../../src/config/run-command.ts'
import { parseRootKey } from '../../src/store/root-key.ts'
import { tempFolder } from '../temp-folder.ts'

const docs = readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8')

/** The `root_key` of each recipe in docs/keys.md, by the program that it needs. */
const recipes = [...docs.matchAll(/```yaml\n(root_key:\n {2}command: [\s\S]*?)```/g)].map(([, text = '']) => {
  const command: string[] = parse(text).root_key.command
  return [command[0] ?? '', text, command] as const
})

const key = randomBytes(32).toString('base64')

/** A folder with a configuration and a program of that name, which is the text of a shell script. */
function prepare(yaml: string, program: string, script: string) {
  const folder = tempFolder('token-broker-command-')
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, program), 0o755)
  writeFileSync(join(folder, 'broker.yaml'), yaml)
  const env = { PATH: `${bin}:/usr/bin:/bin` }
  const load = (timeoutMs?: number) =>
    loadDataConfig({
      ...{ argvPath: 'broker.yaml', env, cwd: folder, runCommand: createRunCommand(env, timeoutMs) },
      readFile: async path => readFileSync(path),
    })
  return { folder, load }
}

const commandOf = (program: string) => `root_key: {command: [${program}, argument]}\n`

describe('a recipe of docs/keys.md', () => {
  it('is there for each of four services', () => {
    expect(recipes.map(([program]) => program)).toEqual(['aws', 'gcloud', 'vault', 'age'])
  })

  it.each(recipes)(
    'for %s hands the program its arguments and takes the key that it prints',
    async (program, text, command) => {
      const { folder, load } = prepare(text, program, `printf '%s\\n' "$@" > arguments\nprintf '%s' '${key}'`)
      const { rootKey } = await load()
      if (rootKey.kind !== 'value') throw new Error('expected a value')
      expect(parseRootKey(rootKey.value, 'test').fingerprint).toMatch(/^[0-9a-f]{16}$/)
      const words = readFileSync(join(folder, 'arguments'), 'utf8').trimEnd().split('\n')
      expect(words).toEqual(command.slice(1))
    },
  )
})

describe('a command that gives no root key', () => {
  it.each([
    ['fails', 'echo denied >&2; exit 255', 'ended with exit code 255'],
    ['is ended', 'kill -9 $$', 'was ended by SIGKILL'],
    ['hangs', 'sleep 60', 'took longer than 0.5 seconds'],
    ['hangs with children and an open pipe', 'sleep 60 & sleep 60', 'took longer than 0.5 seconds'],
  ])('and %s may do so later', async (_, script, message) => {
    const { load } = prepare(commandOf('kms'), 'kms', script)
    const error = await load(500).catch(error => error)
    expect(error).toBeInstanceOf(ConfigError)
    expect(error.mayPass).toBe(true)
    expect(error.message).toContain(message)
  })

  it.each([
    ['prints too much', `head -c 70000 /dev/zero | tr '\\0' a`, 'printed more than 64 KiB'],
    ['prints nothing', 'true', 'gives an empty value'],
    ['prints two lines', 'echo a; echo b', 'several lines'],
    ['is no text', `printf '\\377'`, 'not UTF-8'],
  ])('but %s never will', async (_, script, message) => {
    const { load } = prepare(commandOf('kms'), 'kms', script)
    const error = await load(5_000).catch(error => error)
    expect(error.mayPass).toBe(false)
    expect(error.message).toContain(message)
  })

  it('because it is not there never will', async () => {
    const error = await prepare(commandOf('absent'), 'kms', 'true')
      .load()
      .catch(error => error)
    expect(error.mayPass).toBe(false)
    expect(error.message).toContain('was not found')
  })

  it('as the next one is told from the other', async () => {
    const yaml = `root_key: {env: PATH}\nroot_key_next: {command: [kms]}\n`
    const error = await prepare(yaml, 'kms', 'exit 1')
      .load()
      .catch(error => error)
    expect(error.message).toContain('root_key_next: the command kms ended with exit code 1')
  })
})
