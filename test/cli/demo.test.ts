import { describe, expect, it } from 'vitest'
import { DEMO_PROVIDERS } from '../../src/cli/demo-world.ts'
import { builtIns } from '../../src/providers/built-ins.ts'
import { dialects } from '../../src/sandbox/dialects.ts'
import { tempFolder } from '../temp-folder.ts'
import { runProcess } from './run-process.ts'

/** Each walk waits seconds for a renewal, and they come one after the other. */
const WALK_TIMEOUT_MS = 60_000

/** Walks in a folder of its own, then stops. */
function demo(...argv: string[]) {
  const cwd = tempFolder('demo')
  return runProcess(['demo', '--once', ...argv], { cwd })
}

describe('demo', () => {
  it('refuses a provider that it does not have, and says which there are', async () => {
    const { exitCode, stderr } = await demo('--provider', 'acne')

    expect(exitCode).toBe(64)
    for (const { id } of DEMO_PROVIDERS) expect(stderr).toContain(id)
  })

  it('walks every dialect and every built-in definition', () => {
    const walked = DEMO_PROVIDERS.map(({ dialect }) => dialect)

    expect(walked.toSorted()).toEqual(dialects.map(({ id }) => id).toSorted())
    expect(walked).toEqual(expect.arrayContaining([...builtIns.keys()]))
  })

  it('takes every connection through its life', { timeout: WALK_TIMEOUT_MS }, async () => {
    const { exitCode, stdout, stderr } = await demo()

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const [, ...lives] = stdout.split('The life of a connection: ')
    expect(lives.map(lifeOf)).toEqual([
      ['acme', '401 Unauthorized', 'VERIFIED', 'REVOKED'],
      ['pinterest', '401 Unauthorized', 'VERIFIED', 'UNSUPPORTED'],
      ['tiktok-business', '200 OK, code 40105', 'VERIFIED', 'REVOKED'],
      ['tiktok-login', '401 Unauthorized', 'VERIFIED', 'REVOKED'],
      ['square', '401 Unauthorized', 'VERIFIED', 'REVOKED'],
    ])
  })
})

/** Whose it was, what the provider said to a killed token, what verifying found, how the revocation went. */
function lifeOf(text: string): (string | undefined)[] {
  const patterns = [
    /^(\S+)/,
    /the provider kills the token +\S+ (.+)/,
    /verified: (\w+)/,
    /revocation at the provider: (\w+)/,
  ]
  return patterns.map(pattern => pattern.exec(text)?.[1])
}
