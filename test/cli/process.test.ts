import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  Consent,
  ConsentState,
  ImportConnectionResponse,
  ImportOutcome,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { tempFolder } from '../temp-folder.ts'
import { type Answers, type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { ACCESS_TOKEN, statusOf, tokenOf } from './messages.ts'
import { MAIN, runProcess } from './run-process.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function start(answers: Answers): Promise<FakeBroker> {
  broker = await startFakeBroker(answers)
  return broker
}

describe('the exit code of the process', () => {
  it('is 64 for an unknown command, with what was meant', async () => {
    const result = await runProcess(['statsu'])
    expect(result).toMatchObject({ exitCode: 64, stdout: '' })
    expect(result.stderr).toContain("error: unknown command 'statsu'\n(Did you mean status?)\n(add --help")
  })

  it('is 1 for a connection that is none, 0 for one that is', async () => {
    const answers = {
      getStatus: ({ provider }: { provider: string }) => ({
        status: statusOf({ connected: provider === 'a' }),
      }),
    }
    const broker = await start(answers)
    expect(await runProcess(['status', 'b'], { broker })).toMatchObject({ exitCode: 1, stderr: '' })
    expect(await runProcess(['status', 'a'], { broker })).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('is 0 for tokens that are piped in', async () => {
    const values: (string | undefined)[] = []
    const broker = await start({
      importConnection: ({ credential, refreshToken }) => {
        values.push(credential?.value, refreshToken)
        return ImportConnectionResponse.fromPartial({ outcome: ImportOutcome.IMPORTED })
      },
    })
    const stdin = 'an-access-token\na-refresh-token\n'
    const result = await runProcess(['import', '--provider', 'a'], { broker, stdin })
    expect(result).toMatchObject({ exitCode: 0, stdout: 'a: imported\n', stderr: '' })
    expect(values).toEqual(['an-access-token', 'a-refresh-token'])
  })

  it('is 69 if no broker answers', async () => {
    const broker = await start({})
    broker.close()
    expect((await runProcess(['token', 'pinterest'], { broker })).exitCode).toBe(69)
  })

  it('is 77 if the broker does not let this caller', async () => {
    const broker = await start({
      getAccessToken: () => {
        throw refusal(grpcStatus.PERMISSION_DENIED, 'ACCESS_DENIED', 'this caller may not do that')
      },
    })
    const result = await runProcess(['token', 'pinterest'], { broker })
    expect(result).toMatchObject({ exitCode: 77, stdout: '' })
  })

  it('is 78 where no broker ever ran, and says which file is looked for', async () => {
    const cwd = tempFolder('empty')
    const result = await runProcess(['list'], { cwd })
    expect(result.exitCode).toBe(78)
    expect(result.stderr).toContain(join(cwd, 'data/operator.token'))
  })

  it('is 78 for a broken ./broker.yaml', async () => {
    const cwd = tempFolder('broken')
    writeFileSync(join(cwd, 'broker.yaml'), 'providerz: {}\n')
    const result = await runProcess(['config', 'check'], { cwd })
    expect(result.exitCode).toBe(78)
    expect(result.stderr).toContain('broker.yaml:1:1  providerz: unknown key')
  })
})

describe('the process', () => {
  it('prints a token that $(…) can take', async () => {
    const broker = await start({ getAccessToken: () => ({ token: tokenOf() }) })
    const result = await runProcess(['token', 'pinterest'], { broker })
    expect(result).toEqual({ exitCode: 0, stdout: `${ACCESS_TOKEN}\n`, stderr: '' })
  })

  it('ends at Ctrl-C while it waits for consent, and says that the link stays valid', async () => {
    const broker = await start({
      createConsentLink: () => ({ url: 'http://localhost/x', consentId: 'c', expireTime: undefined }),
      getConsent: () => ({ consent: Consent.fromPartial({ state: ConsentState.PENDING }) }),
    })
    let sent = false
    const result = await runProcess(['connect', 'pinterest'], {
      broker,
      onOutput: (stdout, child) => {
        if (!sent && stdout.includes('Waiting')) sent = child.kill('SIGINT')
      },
    })
    expect(result).toMatchObject({ exitCode: 1, stderr: '' })
    expect(result.stdout).toContain('The link stays valid')
  })

  it('is not disturbed by a reader that stops reading', () => {
    const script = `"${process.execPath}" "${MAIN}" --help; echo "exit $?" >&2`
    const { stderr } = spawnSync('sh', ['-c', `{ ${script}; } | true`], { encoding: 'utf8' })
    expect(stderr).toBe('exit 0\n')
  })

  it('loads no gRPC for a command that needs none', async () => {
    const preload = `
      import { registerHooks } from 'node:module'
      registerHooks({ resolve(specifier, context, next) {
        if (specifier.startsWith('@grpc/')) throw new Error('loaded ' + specifier)
        return next(specifier, context)
      } })`
    const offline = await runProcess(['callers', 'create', 'ads-sync'], { preload })
    expect(offline.exitCode).toBe(0)
    const online = await runProcess(['list'], { preload })
    expect(online.stderr).toContain('loaded @grpc/grpc-js')
  })
})
