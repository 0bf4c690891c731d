import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { systemConfigParts } from '../../src/config/system.ts'
import { tempFolder } from '../temp-folder.ts'
import { runCli } from './run-cli.ts'
import { runProcess } from './run-process.ts'

describe('sandbox', () => {
  it('refuses to be reached from elsewhere, exit 64', async () => {
    const result = await runCli(['sandbox', '--host', '0.0.0.0', '--port', '0'])
    expect(result).toMatchObject({ exitCode: 64, stdout: '' })
    expect(result.stderr).toContain('listens on loopback only')
  })

  it('says that its port is taken, exit 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const result = await runCli(['sandbox', '--port', String(port)])
    other.close()
    expect(result).toMatchObject({ exitCode: 1, stdout: '' })
    expect(result.stderr).toContain('another program has it; --port 0 takes a free one')
  })

  it.each([
    ['--port', '65536'],
    ['--port', 'http'],
    ['--access-lifetime', '0'],
    ['--access-lifetime', '3651d'],
    ['--replay', 'sometimes'],
  ])('refuses %s %s, exit 64', async (...argv) => {
    expect(await runCli(['sandbox', ...argv])).toMatchObject({ exitCode: 64, stdout: '' })
  })

  it('prints a configuration that serve takes', async () => {
    const { stdout, exitCode } = await runCli(['sandbox', '--port', '0'], {
      interrupted: AbortSignal.abort(),
    })
    expect(exitCode).toBe(0)
    const origin = /answers at (http:\/\/127\.0\.0\.1:\d+)\./.exec(stdout)?.[1]
    const file = join(tempFolder('sandbox'), 'broker.yaml')
    writeFileSync(file, /^providers:\n( .*\n)+/m.exec(stdout)?.[0] ?? '')
    const { providers } = await loadConfig({ ...systemConfigParts(file) })
    expect(providers.get('pinterest')).toMatchObject({
      clientId: 'sandbox-client',
      endpointsBase: `${origin}/pinterest`,
    })
    expect(providers.get('pinterest')?.clientSecrets[0]?.expose()).toBe('sandbox-secret')
    expect(providers.get('oauth2')?.definition.issuer).toBe(`${origin}/oauth2`)
  })

  it('serves with what its options say until SIGTERM, exit 0', async () => {
    const argv = [
      '--access-lifetime',
      '5m',
      '--refresh-lifetime',
      '1h',
      '--replay',
      'window',
      '--auto-approve',
    ]
    let answer: Promise<unknown> | undefined
    const result = await runProcess(['sandbox', '--port', '0', ...argv], {
      onOutput: (stdout, child) => {
        const origin = /answers at (\S+)\. /.exec(stdout)?.[1]
        if (answer !== undefined || origin === undefined || !stdout.includes('/_sandbox/')) return
        answer = fetch(`${origin}/_sandbox/behavior/oauth2`)
          .then(response => response.json())
          .finally(() => child.kill('SIGTERM'))
      },
    })
    expect(result).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await answer).toMatchObject({
      access_token_lifetime_ms: 300_000,
      refresh_token_lifetime_ms: 3_600_000,
      replay: 'window',
      consent: 'allow',
    })
  })
})
