import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { status as grpcStatus, Metadata } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { needsTls, withBroker } from '../../src/cli/client.ts'
import type { Io } from '../../src/cli/io.ts'
import { AdminServiceService } from '../../src/gen/tokenbroker/v1/admin.ts'
import { type Answers, type FakeBroker, refusal, startFakeBroker, writeToken } from './fake-server.ts'
import { statusOf } from './messages.ts'
import { runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function start(answers: Answers): Promise<FakeBroker> {
  broker = await startFakeBroker(answers)
  return broker
}

/** Has status ask a broker that fails so. */
async function failWith(error: unknown, ...more: readonly string[]) {
  const broker = await start({
    getStatus: () => {
      throw error
    },
  })
  return runCli(['status', 'pinterest', ...more], { broker })
}

describe('a broker that cannot be asked', () => {
  it('is told to be started if nobody listens, exit 69', async () => {
    const { address, tokenFile, close } = await start({})
    close()
    const result = await runCli(['status', 'pinterest'], { broker: { address, tokenFile } })
    expect(result.exitCode).toBe(69)
    expect(result.stderr).toContain(`error: no broker answers at ${address} (`)
    expect(result.stderr).toContain('ECONNREFUSED')
    expect(result.stderr).toContain('  help: start one with: token-broker serve\n')
  })

  it('is given up if it takes a stream and does not say that it is open', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
    const env = { TOKEN_BROKER_ADDRESS: address, TOKEN_BROKER_TOKEN_FILE: writeToken().file }
    const options = { signal: new AbortController().signal, deadlineMs: 50 }
    const watching = withBroker({ env } as unknown as Io, async broker => {
      const request = { provider: '' }
      for await (const _ of broker.watch(AdminServiceService.watchConnections, request, options));
    })
    await expect(watching).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringContaining(`${address} did not answer within`),
    })
    silent.close()
  })

  it('is refused without a token file, which is named with the variable that names another, exit 78', async () => {
    const file = join(dirname(writeToken().file), 'absent.token')
    const result = await runCli(['list'], { env: { TOKEN_BROKER_TOKEN_FILE: file } })
    expect(result.exitCode).toBe(78)
    expect(result.stderr).toContain(`${file}  does not exist`)
    expect(result.stderr).toContain('TOKEN_BROKER_TOKEN_FILE')
  })

  it('is refused with a token file that holds something else or that others may read, without showing it', async () => {
    const { file, token } = writeToken()
    chmodSync(file, 0o644)
    const readable = await runCli(['list'], { env: { TOKEN_BROKER_TOKEN_FILE: file } })
    expect(readable).toMatchObject({ exitCode: 78, stdout: '' })
    expect(readable.stderr).toContain('chmod 600')
    chmodSync(file, 0o600)
    writeFileSync(file, token.slice(0, -1))
    const damaged = await runCli(['list'], { env: { TOKEN_BROKER_TOKEN_FILE: file } })
    expect(damaged).toMatchObject({ exitCode: 78, stdout: '' })
    expect(damaged.stderr).not.toContain(token.slice(3, -1))
  })

  it('is refused at an address that is none, exit 78', async () => {
    const result = await runCli(['list'], { env: { TOKEN_BROKER_ADDRESS: 'broker.example' } })
    expect(result.exitCode).toBe(78)
    expect(result.stderr).toContain('TOKEN_BROKER_ADDRESS')
  })

  it('is refused with a CA file that is absent, exit 78', async () => {
    const { address, tokenFile } = await start({})
    const env = { TOKEN_BROKER_CA_FILE: '/nonexistent/ca.pem' }
    const result = await runCli(['list'], { broker: { address, tokenFile }, env })
    expect(result).toMatchObject({ exitCode: 78 })
    expect(result.stderr).toContain(
      'cannot read /nonexistent/ca.pem, which TOKEN_BROKER_CA_FILE names (ENOENT)',
    )
  })

  it('is refused with a CA file that is no PEM, exit 78', async () => {
    const { address, tokenFile } = await start({})
    const env = { TOKEN_BROKER_CERT_FILE: tokenFile, TOKEN_BROKER_KEY_FILE: tokenFile }
    const result = await runCli(['list'], { broker: { address, tokenFile }, env })
    expect(result).toMatchObject({ exitCode: 78 })
    expect(result.stderr).toContain(`no TLS with ${tokenFile}`)
  })
})

describe('an error of the broker', () => {
  it.each([
    ['UNAUTHENTICATED', 'CALLER_UNAUTHENTICATED', 77],
    ['PERMISSION_DENIED', 'ACCESS_DENIED', 77],
    ['INVALID_ARGUMENT', 'INVALID_REQUEST', 64],
    ['UNAVAILABLE', 'PROVIDER_UNAVAILABLE', 69],
    ['UNAVAILABLE', 'BROKER_UNAVAILABLE', 69],
    ['RESOURCE_EXHAUSTED', 'RATE_LIMITED', 1],
    ['FAILED_PRECONDITION', 'REAUTH_REQUIRED', 1],
    ['DATA_LOSS', 'UNREADABLE', 1],
  ] as const)('%s (%s) exits %i with the broker’s sentence', async (code, reason, exitCode) => {
    const result = await failWith(refusal(grpcStatus[code], reason, 'a sentence that says what to do'))
    expect(result).toMatchObject({
      exitCode,
      stdout: '',
      stderr: `error: a sentence that says what to do\n  reason: ${reason}\n`,
    })
  })

  it('shows when to try again', async () => {
    const error = refusal(grpcStatus.UNAVAILABLE, 'PROVIDER_UNAVAILABLE', 'down', { retryAfterMs: 5_000 })
    expect((await failWith(error)).stderr).toContain('  retry: in 5 s\n')
  })

  it('with --json is one document on stdout too', async () => {
    const error = refusal(grpcStatus.UNAVAILABLE, 'PROVIDER_UNAVAILABLE', 'down', {
      retryAfterMs: 1_500,
      help: 'wait',
    })
    const { stdout, stderr } = await failWith(error, '--json')
    expect(JSON.parse(stdout)).toEqual({
      error: { message: 'down', reason: 'PROVIDER_UNAVAILABLE', help: ['wait'], retryAfterMs: 1_500 },
    })
    expect(stderr).toContain('error: down')
  })

  it('without details, as of a proxy, is shown with its status, exit 1', async () => {
    const result = await failWith({ code: grpcStatus.INTERNAL, details: 'boom' })
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toMatch(/^error: 127\.0\.0\.1:\d+ answered INTERNAL: boom\n$/)
  })

  it('with details that do not decode is shown all the same', async () => {
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]))
    const result = await failWith({ code: grpcStatus.ABORTED, details: 'odd', metadata })
    expect(result.stderr).toContain('answered ABORTED: odd')
  })

  it('for a token that the broker does not know exits 77, and does not show it', async () => {
    const { address } = await start({ getStatus: () => ({ status: statusOf() }) })
    const other = writeToken()
    const result = await runCli(['status', 'pinterest'], { broker: { address, tokenFile: other.file } })
    expect(result).toMatchObject({ exitCode: 77, stdout: '' })
    expect(result.stderr).not.toContain(other.token)
  })
})

describe('needsTls()', () => {
  it.each([
    ['127.0.0.1:50051', false],
    ['127.9.9.9:50051', false],
    ['localhost:50051', false],
    ['[::1]:50051', false],
    ['unix:/run/token-broker.sock', false],
    ['10.0.0.5:50051', true],
    ['broker.example:443', true],
    ['localhost.example:443', true],
    ['127.0.0.1.example:443', true],
    ['[2001:db8::1]:50051', true],
  ])('%s: %s', (address, expected) => {
    expect(needsTls({ address })).toBe(expected)
  })

  it('is true on loopback if a CA or a certificate is named', () => {
    expect(needsTls({ address: '127.0.0.1:50051', caFile: 'ca.pem' })).toBe(true)
    expect(needsTls({ address: '127.0.0.1:50051', certFile: 'client.pem' })).toBe(true)
  })
})
