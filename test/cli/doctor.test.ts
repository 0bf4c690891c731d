import { randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { AREAS, type Finding } from '../../src/cli/doctor-finding.ts'
import { examineLimits, LIMITS, limitText } from '../../src/cli/doctor-limits.ts'
import { examineProcess, type ProcessFacts } from '../../src/cli/doctor-process.ts'
import { examineProgram } from '../../src/cli/doctor-program.ts'
import { judgeVersions } from '../../src/cli/serve-versions.ts'
import { load, sha256 } from '../config/world.ts'
import { examine, home } from './doctor-home.ts'
import { NOW, runCli } from './run-cli.ts'

const DAY_MS = 86_400_000

const closers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map(close => close()))
})

/** Sentences without advice are for what is well. */
function expectAdvice(findings: readonly Finding[]) {
  for (const { level, advice } of findings) expect(advice === undefined).toBe(level === 'ok')
}

describe('doctor', () => {
  it('finds nothing wrong with a new installation, and makes nothing', async () => {
    const { folder, file } = await home('', { hasStore: false })
    const { exitCode, said, findings } = await examine({ file })
    expect(said('problem')).toEqual([])
    expect(exitCode).toBe(0)
    expectAdvice(findings)
    expect(readdirSync(folder)).toEqual(['broker.yaml'])
  })

  it('finds nothing wrong with a store that was used, and leaves it as it is', async () => {
    const { dataDir, file } = await home()
    const before = readdirSync(dataDir).sort()
    const { said } = await examine({ file })
    expect(said('problem')).toEqual([])
    expect(said('ok', 'store').map(({ what }) => what)).toEqual([
      'the database is the newest that was used here',
      'the root key fits the database',
      expect.stringMatching(/^the key [0-9a-f]{16} that seals was made 0 s ago$/),
    ])
    const after = readdirSync(dataDir).filter(name => !/-(wal|shm)$/.test(name))
    expect(after.sort()).toEqual(before.filter(name => !/-(wal|shm)$/.test(name)))
  })

  it('prints for people: areas, limits, what to do, and a summary', async () => {
    const { dataDir, file } = await home()
    chmodSync(dataDir, 0o755)
    const { stdout, exitCode } = await runCli(['doctor', '--config', file, '--offline'])
    expect(exitCode).toBe(1)
    for (const area of AREAS.filter(area => area !== 'providers' && area !== 'clock'))
      expect(stdout).toContain(`\n${area}\n`.replace(/^\nprogram/, 'program'))
    expect(stdout).toContain(
      `  problem  ${dataDir} is open to other users (mode 0755)\n           Run: chmod 700 ${dataDir}\n`,
    )
    expect(stdout).toMatch(/ gRPC {7}request +384 KiB\n/)
    expect(stdout).toMatch(/\n1 problem, \d+ warnings?\n$/)
  })
})

describe('doctor, of files,', () => {
  it.each(['broker.db', 'root.key', 'commit.mark'])('finds %s open to others', async name => {
    const { dataDir, file } = await home()
    chmodSync(join(dataDir, name), 0o640)
    const { said } = await examine({ file })
    expect(said('problem', 'files')).toMatchObject([
      {
        what: `${join(dataDir, name)} is open to other users (mode 0640)`,
        advice: `Run: chmod 600 ${join(dataDir, name)}`,
      },
    ])
  })

  it('finds a configuration that others can change', async () => {
    const { file } = await home()
    chmodSync(file, 0o622)
    const { said } = await examine({ file })
    expect(said('problem', 'files')).toMatchObject([{ advice: `Run: chmod go-w ${file}` }])
  })

  it('finds a file in place of the data directory', async () => {
    const { dataDir, file } = await home('', { hasStore: false })
    writeFileSync(dataDir, '')
    expect((await examine({ file })).said('problem', 'files')).toMatchObject([
      { what: `${dataDir} is no folder` },
    ])
  })
})

describe('doctor, of the store,', () => {
  it('finds another root key, and makes no new one', async () => {
    const { dataDir, file } = await home()
    const path = join(dataDir, 'root.key')
    writeFileSync(path, randomBytes(32).toString('base64'))
    expect((await examine({ file })).said('problem', 'store')).toMatchObject([
      { what: expect.stringMatching('root key') },
    ])
    rmSync(path)
    expect((await examine({ file })).said('problem', 'store')).toMatchObject([
      { what: expect.stringMatching(/root key file .* is missing/) },
    ])
    expect(readdirSync(dataDir)).not.toContain('root.key')
  })

  it('finds a key that is more than a year old', async () => {
    const { said } = await examine(await home('', { madeAt: NOW - 366 * DAY_MS }))
    expect(said('warning', 'store')).toMatchObject([{ advice: 'Run: token-broker keys rotate' }])
  })

  it('finds a clock that went back', async () => {
    const { said } = await examine(await home('', { madeAt: NOW + DAY_MS }))
    expect(said('problem', 'store').map(({ what }) => what)).toEqual([
      expect.stringMatching('was made in the future'),
      expect.stringMatching(/was written 24 h ahead of this machine's clock/),
    ])
  })

  it('finds a database that was put back', async () => {
    const { dataDir, file } = await home()
    writeFileSync(join(dataDir, 'commit.mark'), `${'a'.repeat(32)} ${'9'.padStart(16, '0')}\n`)
    expect((await examine({ file })).said('problem', 'store')).toMatchObject([
      { what: expect.stringMatching('is an older copy'), advice: expect.stringMatching('--accept-restore') },
    ])
  })

  it('finds that the database is gone', async () => {
    const { dataDir, file } = await home()
    writeFileSync(join(dataDir, 'commit.mark'), `${'a'.repeat(32)} ${'9'.padStart(16, '0')}\n`)
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, `broker.db${suffix}`), { force: true })
    expect((await examine({ file })).said('problem', 'store')).toMatchObject([
      {
        what: 'the database that was in use here is gone',
        advice: expect.stringMatching('--accept-restore'),
      },
    ])
  })

  it('finds a database that is none', async () => {
    const { dataDir, file } = await home()
    writeFileSync(join(dataDir, 'broker.db'), 'nothing of the kind'.repeat(1_000))
    expect((await examine({ file })).said('problem', 'store')).toHaveLength(1)
  })
})

describe('doctor, of the configuration,', () => {
  it('finds every mistake with its line, and looks at the data all the same', async () => {
    const { dataDir, file } = await home('log: loud\nprovider: {}\n')
    chmodSync(dataDir, 0o750)
    const { said } = await examine({ file })
    const problems = said('problem', 'configuration').map(({ what }) => what)
    expect(problems).toHaveLength(2)
    for (const [index, what] of problems.entries()) expect(what).toContain(`${file}:${index + 2}:`)
  })

  it('finds what has expired, what will, and what never does', async () => {
    const caller = (name: string, number: number, expires = '') =>
      `  - {name: ${name}, token_sha256: ${sha256(number)}, allow: []${expires}}\n`
    const yaml = `callers:
${caller('dead', 0xa1, ', expires: 2026-11-19')}${caller('soon', 0xa2, ', expires: 2026-12-01')}${caller('later', 0xa3, ', expires: 2027-06-01')}${caller('eternal', 0xa4)}`
    const { said } = await examine(await home(yaml))
    expect(said('problem', 'configuration')).toMatchObject([
      { what: 'the token of the caller dead has expired' },
    ])
    expect(said('warning', 'configuration').map(({ what }) => what)).toEqual([
      'the token of the caller soon expires in 10 d',
      'tokens never expire: eternal',
    ])
  })
})

describe('doctor, of providers,', () => {
  /** An authorization server whose clock may be wrong. */
  async function serve(skewMs = 0, status = 404) {
    const paths: string[] = []
    const server = createServer((request, response) => {
      paths.push(`${request.method} ${request.url}`)
      const isMetadata = request.url?.startsWith('/.well-known') === true
      response.writeHead(isMetadata ? 200 : status, {
        date: new Date(NOW + skewMs).toUTCString(),
        'content-type': 'application/json',
      })
      response.end(isMetadata ? JSON.stringify({ issuer: origin, token_endpoint: `${origin}/token` }) : '{}')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise(resolve => server.close(resolve)))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { origin, host: origin.slice(7), paths }
  }

  const acme = (definition: string) =>
    `providers: {acme: {definition: {${definition}}, client_id: x, client_secret: {env: APP_SECRET}}}\n`

  it('asks for metadata and the root of the server, and says what time it is', async () => {
    const { origin, host, paths } = await serve()
    const { said } = await examine(await home(acme(`issuer: "${origin}"`)))
    expect(said('ok', 'providers').map(({ what }) => what)).toEqual([`acme: ${host} answers`])
    expect(said('ok', 'clock')).toHaveLength(1)
    expect(paths).toEqual(['GET /.well-known/openid-configuration', 'GET /'])
  })

  it('asks nobody with --offline', async () => {
    const { origin, paths } = await serve()
    const { findings } = await examine(await home(acme(`issuer: "${origin}"`)), '--offline')
    expect(findings.filter(({ area }) => area === 'providers')).toEqual([])
    expect(paths).toEqual([])
  })

  it.each([
    ['31 s ahead', -31_000, 'warning'],
    ['10 min behind', 600_000, 'problem'],
  ] as const)('finds a clock that is %s', async (_, skewMs, level) => {
    const { origin } = await serve(skewMs)
    const { said } = await examine(await home(acme(`token_url: "${origin}/token"`)))
    expect(said(level, 'clock')).toHaveLength(1)
  })

  it('finds one that fails, and one that is down', async () => {
    const { origin, host } = await serve(0, 503)
    const failing = await examine(await home(acme(`token_url: "${origin}/token"`)))
    expect(failing.said('warning', 'providers')).toMatchObject([
      { what: `acme: ${host} answers with status 503` },
    ])
    const down = await examine(await home(acme('token_url: "http://127.0.0.1:9/token"')))
    expect(down.said('problem', 'providers')).toMatchObject([{ what: expect.stringMatching('127.0.0.1:9') }])
  })

  it('says that it cannot know where variables lead', async () => {
    const definition =
      'token_url: "https://{shop}.shop.example/token", variables: {shop: {matches: "[a-z]+"}}'
    const { said } = await examine(await home(acme(definition)))
    expect(said('ok', 'providers')).toMatchObject([{ what: expect.stringMatching('differ by connection') }])
  })
})

describe('examineProgram()', () => {
  const levelOf = (node: string, grpc = '1.14.7') =>
    examineProgram(judgeVersions(node, grpc))
      .slice(1, 3)
      .map(({ level }) => level)

  it.each([
    ['22.23.1', 'problem'],
    ['22.23.2', 'ok'],
    ['24.18.0', 'problem'],
    ['24.18.1', 'ok'],
    ['24.100.0', 'ok'],
    ['23.11.0', 'warning'],
    ['26.0.0', 'warning'],
  ])('calls Node.js %s %s', (node, level) => {
    expect(levelOf(node)[0]).toBe(level)
  })

  it.each([
    ['1.14.6', 'problem'],
    ['1.14.7', 'ok'],
    ['1.15.0', 'ok'],
    ['2.0.0', 'ok'],
  ])('calls grpc-js %s %s', (grpc, level) => {
    expect(levelOf('24.18.1', grpc)[1]).toBe(level)
  })
})

describe('examineProcess()', () => {
  const good: ProcessFacts = { env: {}, execArgv: [], uid: 1_000, coreDumpLimit: 0, hasProto: false }
  const bad = (facts: Partial<ProcessFacts>) =>
    examineProcess({ ...good, ...facts }).filter(({ level }) => level !== 'ok')

  it('finds nothing wrong where nothing is', () => {
    expect(bad({})).toEqual([])
    expect(bad({ uid: undefined, coreDumpLimit: undefined })).toEqual([])
    expect(bad({ coreDumpLimit: 1 })).toEqual([])
  })

  it.each([
    ['a debugging switch', { env: { NODE_DEBUG: 'http' } }, 'problem'],
    ['an inspector', { execArgv: ['--inspect'] }, 'problem'],
    ['root', { uid: 0 }, 'warning'],
    ['core dumps', { coreDumpLimit: Number.POSITIVE_INFINITY }, 'warning'],
    ['__proto__', { hasProto: true }, 'warning'],
  ])('finds %s', (_, facts, level) => {
    expect(bad(facts)).toMatchObject([{ level, advice: expect.any(String) }])
  })
})

describe('examineLimits()', () => {
  it('adds up what the broker may open', async () => {
    const config = await load()
    expect(examineLimits(config, 1_611)).toMatchObject([
      { level: 'warning', advice: expect.stringMatching('1612') },
    ])
    expect(examineLimits(config, 1_612)).toMatchObject([{ level: 'ok' }])
    expect(examineLimits(config, undefined)).toMatchObject([{ level: 'ok' }])
  })

  it.each([
    [1_800_000, 'ms', '30 min'],
    [90_000, 'ms', '90 s'],
    [1_500, 'ms', '1500 ms'],
    [4_194_304, 'bytes', '4 MiB'],
    [16_384, 'bytes', '16 KiB'],
    [100, '', '100'],
  ] as const)('says %i %s as %s', (value, unit, text) => {
    expect(limitText({ on: 'gRPC', name: 'x', value, unit })).toBe(text)
  })

  it('prints only limits that limit something', () => {
    for (const { name, value } of LIMITS) if (!name.startsWith('redirects')) expect(value).toBeGreaterThan(0)
    expect(LIMITS.length).toBeGreaterThan(20)
  })
})
