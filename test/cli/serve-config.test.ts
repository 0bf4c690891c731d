import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configWhenSecretsCome } from '../../src/cli/serve-config.ts'
import type { Config } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { tempFolder } from '../temp-folder.ts'
import { runProcess } from './run-process.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const config = {} as Config

function refusal(...mayPass: readonly boolean[]): ConfigError {
  return new ConfigError(
    mayPass.map((passes, index) => ({
      origin: 'broker.yaml',
      path: `p${index}`,
      message: 'x',
      mayPass: passes,
    })),
  )
}

/** Completes after that many failures. */
function failing(count: number, error: unknown = refusal(true)) {
  let tries = 0
  return async () => {
    if (tries++ < count) throw error
    return config
  }
}

describe('serve', () => {
  it('that waits for secrets outlives a SIGHUP and ends at a SIGTERM', async () => {
    const cwd = tempFolder('waiting')
    writeFileSync(
      join(cwd, 'broker.yaml'),
      'callers: [{name: a, token_sha256: {command: ["false"]}, allow: []}]\n',
    )
    let signals = 0
    const { exitCode } = await runProcess(['serve'], {
      cwd,
      onOutput(stdout, child) {
        const tries = stdout.split('cannot be read yet').length - 1
        if (tries > signals) child.kill(signals++ === 0 ? 'SIGHUP' : 'SIGTERM')
      },
    })
    expect({ exitCode, signals }).toEqual({ exitCode: 0, signals: 2 })
  })
})

describe('configWhenSecretsCome()', () => {
  it('tries again until the secrets come, less and less often', async () => {
    const waits: number[] = []
    const wait = async (ms: number) => void waits.push(ms)
    expect(await configWhenSecretsCome(failing(8), silent, wait)).toBe(config)
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it.each([
    ['a mistake', refusal(false)],
    ['a mistake beside a command that failed', refusal(true, false)],
    ['a defect', new Error('boom')],
  ])('does not wait out %s', async (_, error) => {
    const waited = configWhenSecretsCome(failing(1, error), silent, () => Promise.reject(new Error('waited')))
    await expect(waited).rejects.toBe(error)
  })

  it('ends at a signal, and leaves no listener behind', async () => {
    const before = process.listenerCount('SIGTERM')
    const wait = async () => void process.emit('SIGTERM', 'SIGTERM')
    expect(await configWhenSecretsCome(failing(9), silent, wait)).toBeUndefined()
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })
})
