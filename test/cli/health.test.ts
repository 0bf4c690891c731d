import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ServerCredentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { type FakeBroker, startFakeBroker } from './fake-server.ts'
import { runCli } from './run-cli.ts'

const CERT_FILE = fileURLToPath(new URL('../config/fixtures/cert.pem', import.meta.url))
const KEY_FILE = fileURLToPath(new URL('../config/fixtures/key.pem', import.meta.url))

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

describe('health', () => {
  it('exits 1 if nobody answers', async () => {
    broker = await startFakeBroker({})
    broker.close()
    const result = await runCli(['health'], { broker })
    expect(result).toMatchObject({ exitCode: 1, stdout: '' })
    expect(result.stderr).toContain('not serving: no broker answers at')
  })

  it('exits 1 while the broker does not serve', async () => {
    broker = await startFakeBroker({})
    const result = await runCli(['health', '--service', 'drained'], { broker })
    expect(result).toMatchObject({ exitCode: 1, stderr: 'not serving: NOT_SERVING\n' })
  })

  it('exits 1 for a service that the broker does not have', async () => {
    broker = await startFakeBroker({})
    const result = await runCli(['health', '--service', 'nope'], { broker })
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toContain('NOT_FOUND')
  })

  it('exits 78 if the address is none, so that a typo is not taken for an illness', async () => {
    expect((await runCli(['health'], { env: { TOKEN_BROKER_ADDRESS: 'x' } })).exitCode).toBe(78)
  })

  it('exits 0 if the broker serves, and needs no token', async () => {
    broker = await startFakeBroker({})
    const tokenFile = join(dirname(broker.tokenFile), 'absent.token')
    const result = await runCli(['health'], { broker: { address: broker.address, tokenFile } })
    expect(result).toMatchObject({ exitCode: 0, stdout: 'serving\n', stderr: '' })
  })

  it('with --json prints the status, and why there is none', async () => {
    broker = await startFakeBroker({})
    const serving = await runCli(['health', '--json'], { broker })
    expect(JSON.parse(serving.stdout)).toEqual({ service: '', status: 'SERVING' })
    broker.close()
    const { stdout, exitCode } = await runCli(['health', '--json'], { broker })
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'UNREACHABLE',
      message: expect.stringContaining('no broker'),
    })
  })
})

describe('TLS', () => {
  async function startWithTls() {
    const pair = { cert_chain: readFileSync(CERT_FILE), private_key: readFileSync(KEY_FILE) }
    broker = await startFakeBroker({}, ServerCredentials.createSsl(null, [pair], false))
    return { ...broker, address: broker.address.replace('127.0.0.1', 'localhost') }
  }

  it('is used, and its certificate checked, if TOKEN_BROKER_CA_FILE is set', async () => {
    const trusting = await runCli(['health'], {
      broker: await startWithTls(),
      env: { TOKEN_BROKER_CA_FILE: CERT_FILE },
    })
    expect(trusting).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('fails with an authority that did not sign the certificate, or none', async () => {
    const setting = { broker: await startWithTls() }
    const plain = await runCli(['health'], setting)
    expect(plain).toMatchObject({ exitCode: 1 })
    const env = { TOKEN_BROKER_CERT_FILE: CERT_FILE, TOKEN_BROKER_KEY_FILE: KEY_FILE }
    const distrusting = await runCli(['health'], { ...setting, env })
    expect(distrusting).toMatchObject({ exitCode: 1 })
    expect(distrusting.stderr).toMatch(/self.signed/)
  })
})
