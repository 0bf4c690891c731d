import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { ConfigParts } from '../../src/config/load.ts'
import { completeConfig } from '../../src/config/load.ts'
import { Mistake } from '../../src/config/mistake.ts'
import { policyDigest } from '../../src/config/policy.ts'
import { createPolicyReload } from '../../src/config/policy-reload.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { readWritten } from '../../src/config/written.ts'
import { sha256 } from './world.ts'

const FILE = '/srv/broker.yaml'

/** A broker that was started with a file, which a test then changes. */
async function startWith(yaml: string, others: Record<string, string> = {}) {
  const files: Record<string, string | undefined> = { [FILE]: yaml, ...others }
  const commands: string[] = []
  const parts: ConfigParts = {
    env: { SECRET: 's', HASH: sha256(7) },
    cwd: '/srv',
    readFile: async path => {
      const content = files[path]
      if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      return Buffer.from(content)
    },
    runCommand: async ([program = '']) => {
      commands.push(program)
      if (program !== 'hash') throw new Mistake(`the command ${program} ended with exit code 1`)
      return sha256(8)
    },
  }
  const written = await readWritten(parts)
  const { callers } = await completeConfig(written, parts)
  const source = createPolicyReload(parts, written)
  return { files, commands, callers, read: () => source.read(callers) }
}

async function refusalOf(outcome: Promise<unknown>): Promise<string> {
  const error = await outcome.then(
    () => new Error('it was taken'),
    (error: unknown) => error,
  )
  if (error instanceof ConfigError) return error.message
  throw error
}

const caller = (name: string, hash: string, more = '', methods = 'GetStatus') =>
  `  - {name: ${name}, token_sha256: ${hash}, ${more} allow: [{providers: [p], accounts: ["*"], methods: [${methods}]}]}\n`
const ONE = `"${sha256(1)}"`
const TWO = `"${sha256(2)}"`
const START = `callers:\n${caller('a', ONE)}`

describe('policyDigest()', () => {
  const jwt = (claims: string, more = '') =>
    `callers: [{name: a, jwt: {issuer: i, audience: b, subject: s, jwks_file: k, claims: ${claims}}, ${more} allow: []}]\n`

  it('is the same for the same policy, however it is written, and another for any other', async () => {
    const texts = [
      START,
      START.replace('["*"]', '[x]'),
      jwt('{c: 1}'),
      jwt('{c: 2}'),
      jwt('{c: 1}', 'calls_per_minute: 5,'),
    ]
    const digests = await Promise.all(texts.map(async text => policyDigest((await startWith(text)).callers)))
    expect(new Set(digests).size).toBe(texts.length)
    expect(policyDigest((await startWith(`# same\n${START}`)).callers)).toBe(digests[0])
  })
})

describe('read() of a policy', () => {
  it.each([
    ['no YAML', 'callers: [', /broker\.yaml:1/],
    ['an unknown key elsewhere', `${START}lissten: {}\n`, /lissten: unknown key; did you mean "listen"/],
    ['an unknown role', START.replace('methods: [GetStatus]', 'roles: [boss]'), /no role has this name/],
    ['one token for two', `${START}${caller('b', ONE)}`, /is the token of callers\[0\] too/],
    ['a hash that cannot be read', `${START}${caller('b', '{env: NO}')}`, /the variable NO is not set/],
    ['nothing in it', ' \n', /broker\.yaml {2}is empty/],
    ['no callers any more', 'log: {level: info}\n', /callers: is missing; .* say callers: \[\]/],
    ['an end in the middle of callers', 'callers:\n', /callers: /],
  ])('refuses a file with %s', async (_, yaml, message) => {
    const world = await startWith(START)
    world.files[FILE] = yaml
    expect(await refusalOf(world.read())).toMatch(message)
  })

  it('refuses that the file has vanished, which is not an empty one', async () => {
    const world = await startWith(START)
    world.files[FILE] = undefined
    expect(await refusalOf(world.read())).toContain('broker.yaml')
  })

  it('tells nothing where nothing differs, whatever the order and the comments', async () => {
    const world = await startWith(`${START}${caller('b', TWO)}`)
    world.files[FILE] = `# new\ncallers:\n${caller('b', TWO)}${caller('a', ONE)}`
    expect(await world.read()).toEqual({ needsRestart: [], files: [] })
  })

  it('finds that callers known by JWTs stand in another order: the first one that a token fits counts', async () => {
    const jwt = (name: string, subject: string) =>
      `  - {name: ${name}, jwt: {issuer: i, audience: b, subject: "${subject}", jwks_file: k}, allow: []}\n`
    const [all, some, token] = [jwt('all', 's*'), jwt('some', 'sub*'), caller('a', ONE)]
    const world = await startWith(`callers:\n${all}${some}${token}`)
    world.files[FILE] = `callers:\n${token}${some}${all}`
    expect((await world.read()).change).toEqual({ added: [], removed: [], changed: ['some', 'all'] })
    world.files[FILE] = `callers:\n${all}${token}${some}`
    expect((await world.read()).change).toBeUndefined()
    world.files[FILE] = `callers:\n${some}`
    expect((await world.read()).change).toEqual({ added: [], removed: ['all', 'a'], changed: [] })
  })

  it('names who is new, gone and another, and takes an explicit end of all rights', async () => {
    const world = await startWith(`${START}${caller('b', TWO)}`)
    world.files[FILE] = `callers:\n${caller('b', TWO, '', 'Refresh')}${caller('c', ONE)}`
    const found = await world.read()
    expect(found.change).toEqual({ added: ['c'], removed: ['a'], changed: ['b'] })
    world.files[FILE] = 'callers: []\n'
    expect((await world.read()).change).toEqual({ added: [], removed: ['a', 'b'], changed: [] })
  })

  it.each([
    ['beyond this machine', 'listen: {grpc: [{address: "0.0.0.0:50051", tls: proxy}]}\n'],
    ['without an operator', 'operator_token: off\n'],
  ])('takes the rights of the last caller %s, where a start would be refused', async (_, rest) => {
    const world = await startWith(rest + START)
    world.files[FILE] = `${rest}callers: [{name: a, token_sha256: ${ONE}, allow: []}]\n`
    expect((await world.read()).change).toEqual({ added: [], removed: [], changed: ['a'] })
    world.files[FILE] = `${rest}callers: []\n`
    expect((await world.read()).change).toEqual({ added: [], removed: ['a'], changed: [] })
    world.files[FILE] = rest
    expect(await refusalOf(world.read())).toContain('callers: is missing')
  })

  it('wants no empty list where there were no callers', async () => {
    const world = await startWith('callers: []\n')
    world.files[FILE] = 'log: {level: debug}\n'
    expect(await world.read()).toEqual({ needsRestart: ['log'], files: [] })
  })

  it.each([
    ['a limit', 'calls_per_minute: 5,', ''],
    ['an end', 'expires: 2027-01-01,', ''],
    ['a role', '', 'roles: {own: [GetStatus]}\n'],
  ])('finds that %s has changed', async (_, more, roles) => {
    const world = await startWith(START)
    const text = caller('a', ONE, more)
    const body = roles === '' ? text : text.replace('methods: [GetStatus]', 'roles: [own]')
    world.files[FILE] = `${roles}callers:\n${body}`
    expect((await world.read()).change?.changed).toEqual(['a'])
  })

  it('reads hashes anew from files and commands, and names the files', async () => {
    const yaml = `callers:\n${caller('a', '{file: a.hash}')}${caller('b', '{command: [hash]}')}${caller('c', '{env: HASH}')}`
    const world = await startWith(yaml, { '/srv/a.hash': `${sha256(1)}\n` })
    expect((await world.read()).files).toEqual(['/srv/a.hash'])
    world.files['/srv/a.hash'] = sha256(2)
    expect((await world.read()).change).toEqual({ added: [], removed: [], changed: ['a'] })
    expect(world.commands).toEqual(['hash', 'hash', 'hash'])
  })

  it('reads the authorities of an issuer’s server anew, and names their file', async () => {
    const pem = await readFile(new URL('fixtures/cert.pem', import.meta.url), 'utf8')
    const jwt =
      '{issuer: "https://i.example", audience: b, subject: s, jwks_url: "https://i.example/k", ca: ca.pem}'
    const world = await startWith(`callers: [{name: a, jwt: ${jwt}, allow: []}]\n`, { '/srv/ca.pem': pem })
    expect((await world.read()).files).toEqual(['/srv/ca.pem'])
    world.files['/srv/ca.pem'] = `${pem}${pem}`
    expect((await world.read()).change).toEqual({ added: [], removed: [], changed: ['a'] })
  })

  it('reads no other secret, so that a secret manager which is away does not keep a right from being taken', async () => {
    const provider = 'providers: {pinterest: {client_id: x, client_secret: {env: SECRET}}}\n'
    const world = await startWith(provider + START)
    world.files[FILE] = `${provider.replace('{env: SECRET}', '{command: [vault]}')}callers: []\n`
    expect(await world.read()).toMatchObject({
      change: { removed: ['a'] },
      needsRestart: ['providers.pinterest'],
    })
    expect(world.commands).toEqual([])
  })

  it('names everything else that differs and counts after a restart', async () => {
    const world = await startWith(
      `providers: {pinterest: {client_id: x, client_secret: {env: SECRET}}}\nlog: {level: info}\n${START}`,
    )
    world.files[FILE] = `log: {level: debug}\nlisten: {http: {address: "127.0.0.1:9"}}\n${START}`
    expect((await world.read()).needsRestart).toEqual(['listen.http', 'log', 'providers.pinterest'])
    world.files[FILE] = START
    expect((await world.read()).needsRestart).toEqual(['log', 'providers.pinterest'])
  })
})
