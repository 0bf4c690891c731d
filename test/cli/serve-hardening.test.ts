import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { refuseDebugSwitches } from '../../src/cli/serve-hardening.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createRecordingLog } from '../api/running-server.ts'
import { tempFolder } from '../temp-folder.ts'
import { type ProcessResult, runProcess } from './run-process.ts'

const LISTEN =
  'listen: {grpc: [{address: "127.0.0.1:0"}], http: {address: "127.0.0.1:0"}, admin: {address: "127.0.0.1:0"}}\n'

/** What the process says of itself once it serves. */
interface Look {
  readonly limits?: string
  readonly umask?: string
}

/** Runs the real program until it serves, looks at it, and stops it. */
async function serve(
  env: Readonly<Record<string, string>> = {},
  ...argv: readonly string[]
): Promise<ProcessResult & { readonly look: Look; readonly dataDir: string }> {
  const folder = tempFolder('hardening')
  writeFileSync(join(folder, 'broker.yaml'), LISTEN)
  let look: Look = {}
  let isStopped = false
  const result = await runProcess(['serve', ...argv], {
    cwd: folder,
    env: { ...env },
    onOutput: (stdout, child) => {
      if (isStopped || !stdout.includes('"Serving"')) return
      isStopped = true
      const file = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8')
      look = { limits: file('limits'), umask: /Umask:\s*(\S+)/.exec(file('status'))?.[1] }
      child.kill('SIGTERM')
    },
  })
  return { ...result, look, dataDir: join(folder, 'data') }
}

describe('serve', () => {
  it.each([
    ['GRPC_TRACE', 'all'],
    ['GRPC_VERBOSITY', 'DEBUG'],
    ['NODE_DEBUG', 'http2'],
    ['NODE_OPTIONS', '--inspect=127.0.0.1:0'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
  ])('with %s=%s is refused with exit code 78, and nothing is made', async (name, value) => {
    const { exitCode, stderr, dataDir } = await serve({ [name]: value })
    expect(exitCode).toBe(78)
    expect(stderr).toContain('refused to serve with debugging switches that give secrets away')
    expect(stderr).toContain('token-broker serve --allow-insecure-debugging')
    expect(() => statSync(dataDir)).toThrow('ENOENT')
  })

  it('runs with the options of Node that the Dockerfile sets', async () => {
    const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
    const [, options = ''] = /^ENV NODE_OPTIONS="(.+)"$/m.exec(dockerfile) ?? []
    expect(options).toContain('--disable-proto=delete')
    expect(await serve({ NODE_OPTIONS: options })).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('with --allow-insecure-debugging says so, loudly', async () => {
    const { exitCode, stdout } = await serve({ GRPC_VERBOSITY: 'DEBUG' }, '--allow-insecure-debugging')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('A debugging switch is on: it gives secrets away')
  })

  it.runIf(process.platform === 'linux')('leaves no core dump and no file to others', async () => {
    const { exitCode, look } = await serve()
    expect(exitCode).toBe(0)
    expect(look.umask).toBe('0077')
    expect(look.limits).toMatch(/^Max core file size +1 +1 +bytes/m)
  })

  it.runIf(process.platform === 'linux')('says so if it cannot switch core dumps off', async () => {
    // No prlimit on this path; only a limit that allows dumps is worth a word.
    const { stdout, look } = await serve({ PATH: '/nonexistent' })
    const isDumped = !/^Max core file size +[01] /m.test(look.limits ?? '')
    expect(stdout.includes('core dump')).toBe(isDumped)
  })
})

describe('refuseDebugSwitches()', () => {
  const some = [{ name: '--inspect', effect: 'lets others in' }]
  const written = (listen: object) => configSchema.parse({ listen })

  it.each([
    ['gRPC for others', { grpc: [{ address: '10.0.0.1:50051', tls: 'proxy' }] }],
    ['gRPC behind a proxy', { grpc: [{ address: '127.0.0.1:50051', tls: 'proxy' }] }],
    ['consent for others', { http: { address: '0.0.0.0:8085', tls: 'proxy' } }],
  ])('allows nothing with %s', (_, listen) => {
    const log = createRecordingLog()
    expect(() => refuseDebugSwitches(some, true, written(listen), log)).toThrow('refused to serve')
    expect(log.lines).toEqual([])
  })

  it('allows what is meant on loopback and on a socket', () => {
    const log = createRecordingLog()
    refuseDebugSwitches(some, true, written({ grpc: [{ socket: 'api/broker.sock' }] }), log)
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { name: '--inspect' } }])
  })

  it('says nothing without switches', () => {
    const log = createRecordingLog()
    refuseDebugSwitches([], false, written({ grpc: [{ address: '10.0.0.1:1', tls: 'proxy' }] }), log)
    expect(log.lines).toEqual([])
  })
})
