import { chmodSync, mkdirSync, renameSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { examine, home } from './doctor-home.ts'
import { NOW } from './run-cli.ts'

/** A home with one more file in a folder of its own. */
async function homeWith(yaml: string, { mode = 0o600, folderMode = 0o700, name = 'files/one' } = {}) {
  const made = await home(yaml)
  const path = join(made.folder, name)
  mkdirSync(join(made.folder, 'files'), { recursive: true })
  writeFileSync(path, 'canary-no-such-secret')
  chmodSync(path, mode)
  chmodSync(join(made.folder, 'files'), folderMode)
  return { ...made, path }
}

async function problemsOf(made: Awaited<ReturnType<typeof home>>) {
  return (await examine(made, '--offline')).said('problem', 'files').map(({ what }) => what)
}

const PROVIDER =
  'providers: {acme: {definition: {token_url: "https://as.example/t"}, client_id: x, client_secret: {file: files/one}}}\n'
const jwt = (keys: string) =>
  `callers: [{name: web, jwt: {issuer: i, audience: tb, subject: web, ${keys}}, allow: []}]\n`

const CALLERS = `callers: [{name: web, token_sha256: "${'a'.repeat(64)}", allow: [{providers: ["*"], accounts: ["*"], methods: [GetStatus]}]}]`

describe('doctor, of links in the data directory,', () => {
  it('finds one that leads nowhere, and one of the whole directory', async () => {
    const made = await home()
    symlinkSync('/nonexistent/backup', join(made.dataDir, 'old.db'))
    expect(await problemsOf(made)).toEqual([`${made.dataDir}/old.db is a link that leads nowhere`])
    renameSync(made.dataDir, `${made.dataDir}.old`)
    symlinkSync('/nonexistent/data', made.dataDir)
    expect(await problemsOf(made)).toEqual([`${made.dataDir} is a link that leads nowhere`])
  })

  it('names one that leads somewhere, and does not advise to change what it leads to', async () => {
    const made = await homeWith('', { mode: 0o644 })
    symlinkSync(made.path, join(made.dataDir, 'link'))
    const { said, stdout } = await examine(made, '--offline')
    expect(said('warning', 'files')).toMatchObject([{ what: expect.stringMatching(/link is a link/) }])
    expect(stdout).not.toContain('chmod')
    expect(statSync(made.path).mode & 0o777).toBe(0o644)
  })

  it('takes the data directory for a link that it may be', async () => {
    const made = await home()
    renameSync(made.dataDir, `${made.dataDir}.real`)
    symlinkSync(`${made.dataDir}.real`, made.dataDir)
    expect(await problemsOf(made)).toEqual([])
  })
})

describe('doctor, of files that the configuration names,', () => {
  it.each([
    ['a client secret', PROVIDER, 0o644],
    ['the root key', 'root_key: {file: files/one}\n', 0o640],
    ['the token for an issuer', jwt('jwks_url: "https://i.example/", jwks_token_file: files/one'), 0o604],
  ])('finds %s that others can read', async (_, yaml, mode) => {
    const made = await homeWith(yaml, { mode })
    expect(await problemsOf(made)).toEqual([`other users can read ${made.path}, which holds a secret`])
    chmodSync(made.path, 0o600)
    expect(await problemsOf(made)).toEqual([])
  })

  it.each([
    ['the keys of an issuer', jwt('jwks_file: files/one')],
    ['the authorities of an issuer', jwt('jwks_url: "https://i.example/", ca: files/one')],
    ['a hash', 'callers: [{name: web, token_sha256: {file: files/one}, allow: []}]\n'],
    [
      'client authorities',
      'listen: {grpc: [{address: "127.0.0.1:0", tls: {cert: c.pem, key: k.pem, client_ca: files/one}}]}\n',
    ],
    ['a certificate', 'listen: {admin: {address: "127.0.0.1:0", tls: {cert: files/one, key: k.pem}}}\n'],
  ])('finds %s that others can change', async (_, yaml) => {
    const made = await homeWith(yaml, { mode: 0o664 })
    expect(await problemsOf(made)).toEqual([
      `other users can change ${made.path}, and with it who is believed and who may have which token`,
    ])
    chmodSync(made.path, 0o644)
    expect(await problemsOf(made)).toEqual([])
  })

  it('finds a folder in which others can replace them, unless it keeps them from that', async () => {
    const made = await homeWith(PROVIDER, { folderMode: 0o777 })
    const folder = join(made.folder, 'files')
    expect(await problemsOf(made)).toEqual([
      `other users can replace files in ${folder}, which the broker reads`,
    ])
    chmodSync(folder, 0o1777)
    expect(await problemsOf(made)).toEqual([])
  })

  it('finds the folder of the configuration open, and looks at what links lead to', async () => {
    const made = await homeWith(PROVIDER.replace('files/one', 'link'), { mode: 0o604 })
    symlinkSync(made.path, join(made.folder, 'link'))
    chmodSync(made.folder, 0o777)
    expect(await problemsOf(made)).toEqual([
      `other users can read ${made.path}, which holds a secret`,
      `other users can replace files in ${made.folder}, which the broker reads`,
    ])
  })
})

describe("doctor, of the operator's token,", () => {
  it.each([
    ['a year', 365, '', 'ok'],
    ['more than a year', 366, '', 'warning'],
    ['any age, where it is switched off', 366, 'operator_token: off\ncallers: []\n', undefined],
  ] as const)('says that it is of %s', async (_, days, yaml, level) => {
    const made = await home(yaml.replace('callers: []', CALLERS))
    const path = join(made.dataDir, 'operator.token')
    writeFileSync(path, 'any', { mode: 0o600 })
    const madeAt = new Date(NOW - days * 86_400_000)
    utimesSync(path, madeAt, madeAt)
    const { findings } = await examine(made, '--offline')
    const found = findings.filter(({ what }) => what.startsWith("the operator's token"))
    expect(found.map(finding => finding.level)).toEqual(level === undefined ? [] : [level])
    if (level !== undefined) expect(found[0]?.what).toBe(`the operator's token was made ${days} d ago`)
  })
})
