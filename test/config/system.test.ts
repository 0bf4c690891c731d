import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { systemConfigParts } from '../../src/config/system.ts'

describe('systemConfigParts()', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-config-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('takes the environment and the working directory of this process as they are now', () => {
    const { env, cwd, argvPath } = systemConfigParts('x.yaml')
    expect(env).toEqual(process.env)
    expect(env).not.toBe(process.env)
    expect([cwd, argvPath]).toEqual([process.cwd(), 'x.yaml'])
  })

  it('reads real files and runs real programs', async () => {
    const path = join(folder, 'broker.yaml')
    const source = (secret: string) =>
      `{definition: {issuer: https://a.example}, client_id: x, client_secret: ${secret}}`
    writeFileSync(
      path,
      `providers:\n  a: ${source('{file: s}')}\n  b: ${source('{command: [echo, from-program]}')}\n`,
    )
    writeFileSync(join(folder, 's'), 'from-file\n')
    // Not with the environment of this machine: it may enable providers of its own.
    const { providers } = await loadConfig({ ...systemConfigParts(path), env: {}, cwd: folder })
    const secrets = [...providers.values()].map(provider => provider.clientSecrets[0]?.expose())
    expect(secrets).toEqual(['from-file', 'from-program'])
  })

  it('stops reading a file one byte after what it may hold', async () => {
    const { readFile } = systemConfigParts()
    expect(await readFile('/dev/zero', 100)).toHaveLength(101)
    writeFileSync(join(folder, 'three'), 'abc')
    expect(await readFile(join(folder, 'three'), 3)).toHaveLength(3)
  })

  it.each([
    ['nope', 'ENOENT'],
    ['.', 'EISDIR'],
  ])('rejects %s as the system does', async (name, code) => {
    await expect(systemConfigParts().readFile(join(folder, name), 1)).rejects.toMatchObject({ code })
  })
})
