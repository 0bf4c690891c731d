import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tempFolder } from '../temp-folder.ts'
import { runCli } from './run-cli.ts'

const SECRET = 'shh-THE-CLIENT-SECRET'
const HASH = 'a'.repeat(64)

const GOOD = `
data_dir: ./data
providers:
  pinterest:
    client_id: "1234567"
    client_secret: {env: APP_SECRET}
    scopes: ["ads:read"]
  api:
    definition: {token_url: https://auth.example/token, refresh: {mode: client_credentials}}
    client_id: x
    client_secret: {env: APP_SECRET}
callers:
  - name: ads-sync
    token_sha256: ${HASH}
    expires: 2026-11-19
    allow: [{providers: [pinterest], accounts: ["", "shop*"], methods: [GetAccessToken]}]
`

function check(text: string, ...argv: readonly string[]) {
  const file = join(tempFolder('config'), 'broker.yaml')
  writeFileSync(file, text)
  const env = { APP_SECRET: SECRET }
  return runCli(['config', 'check', '--config', file, ...argv], { env }).then(result => ({ ...result, file }))
}

describe('config check', () => {
  it('says where each mistake stands, exit 78', async () => {
    const result = await check('providers:\n  pinterest:\n    client_idd: x\nlog: loud\n')
    expect(result).toMatchObject({ exitCode: 78, stdout: '' })
    expect(result.stderr).toContain(`${result.file}:3:5  providers.pinterest.client_idd: unknown key`)
    expect(result.stderr).toContain(`${result.file}:4:`)
  })

  it('with --json prints the problems as one document, exit 78', async () => {
    const { stdout, exitCode } = await check('log: loud\n', '--json')
    expect(exitCode).toBe(78)
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, problems: [{ line: 1, path: 'log' }] })
  })

  it('says that the file is not there, exit 78', async () => {
    const result = await runCli(['config', 'check', '--config', '/nonexistent/broker.yaml'])
    expect(result.exitCode).toBe(78)
    expect(result.stderr).toContain('/nonexistent/broker.yaml')
  })

  it('shows what would be served, and no secret', async () => {
    const { exitCode, stdout, stderr, file } = await check(GOOD)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^${file} can be served\\.\n`))
    expect(stdout).toContain('  gRPC      127.0.0.1:50051\n')
    expect(stdout).toContain('127.0.0.1:8085, reached as http://localhost:8085')
    expect(stdout).toMatch(
      /pinterest +pinterest +production +consent +http:\/\/localhost:8085\/oauth\/callback\/pinterest\n/,
    )
    expect(stdout).toMatch(/api +api +production +client credentials +-\n/)
    expect(stdout).toMatch(/ads-sync +token, expired 36 h ago \(2026-11-19T00:00:00Z\)/)
    expect(stdout).toContain('GetAccessToken of pinterest for the system-level credential, account shop*')
    expect(stdout).not.toContain(SECRET)
    expect(stdout).not.toContain(HASH)
  })

  it('with --json shows the same, and no secret', async () => {
    const { stdout, file } = await check(GOOD, '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      file,
      listen: { grpc: [{ host: '127.0.0.1', port: 50051, tls: 'off' }] },
      providers: [
        { provider: 'pinterest', redirectUri: 'http://localhost:8085/oauth/callback/pinterest' },
        { provider: 'api', redirectUri: '' },
      ],
      operatorToken: 'on',
      callers: [{ name: 'ads-sync', authentication: 'static_token', expireTime: '2026-11-19T00:00:00.000Z' }],
    })
    expect(stdout).not.toContain(SECRET)
    expect(stdout).not.toContain(HASH)
  })

  it('shows what callers are known by, and that the operator token is off', async () => {
    const rules = 'allow: [{providers: [x], accounts: [""], methods: [GetStatus]}]'
    const jwt = '{issuer: https://i.example, audience: tb, subject: "ns:*", jwks_file: k.json}'
    const { stdout } = await check(
      `operator_token: off\nlisten: {grpc: [{socket: run/tb.sock}]}\ncallers:\n  - {name: web, jwt: ${jwt}, ${rules}}\n`,
    )
    expect(stdout).toMatch(/gRPC +unix:\/.*run\/tb\.sock/)
    expect(stdout).toMatch(/web +JWT of https:\/\/i\.example for ns:\*/)
    expect(stdout).toContain('The operator token is switched off.')
  })

  it('shows an empty configuration with its defaults, and what to add', async () => {
    const { stdout, exitCode } = await check('')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('No provider is configured')
    expect(stdout).toContain('only the holder of operator.token may call')
  })
})
