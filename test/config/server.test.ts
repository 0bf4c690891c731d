import { describe, expect, it } from 'vitest'
import type { Config, Listener } from '../../src/config/config.ts'
import { fixture, load, refusals, SOMEBODY } from './world.ts'

const GUARD =
  'only loopback is served without TLS; add tls: {cert: PATH, key: PATH}, or tls: proxy if a proxy in front ends TLS, or listen on 127.0.0.1'
const ADDRESS = 'expected an address such as 127.0.0.1:8085 or [::1]:8085'
const PUBLIC = 'is missing; where listen.http is not loopback, say where browsers reach it'

describe('loadConfig() with keys of the server that are wrong', () => {
  it.each([
    ['an unknown key', 'data_dirr: x', '1:1  data_dirr: unknown key; did you mean "data_dir"?'],
    ['an unknown key like no other', 'zzz: x', '1:1  zzz: unknown key'],
    ['an unknown key below', 'log:\n  levle: info', '2:3  log.levle: unknown key; did you mean "level"?'],
    [
      'an unknown key in a list',
      'listen:\n  grpc:\n    - adress: 127.0.0.1:1\n      address: 127.0.0.1:1',
      '3:7  listen.grpc[0].adress: unknown key; did you mean "address"?',
    ],
    ['a merge key', '<<: {}', '1:1  ["<<"]: unknown key'],
    ['a key without value', 'providers:', '1:1  providers: has no value; give it one or remove the key'],
    ['a number for text', 'data_dir: 7', '1:1  data_dir: expected text; put the value in quotes'],
    ['text for a map', 'log: info', '1:1  log: expected a map of keys'],
    ['a map for a list', 'callers: {}', '1:1  callers: expected a list'],
    ['empty text', 'data_dir: ""', '1:1  data_dir: is empty'],
    ['a log level', 'log: {level: warning}', '1:7  log.level: expected debug or info or warn or error'],
    [
      'another log level',
      'log: {level: infos}',
      '1:7  log.level: expected debug or info or warn or error; did you mean "info"?',
    ],
    ['another store', 'store: mysql', '1:1  store: expected sqlite'],
    [
      'a proxy that is a name',
      'trusted_proxies: [lb.example]',
      '1:19  trusted_proxies[0]: expected an IP address or a range such as 10.0.0.0/8',
    ],
    [
      'a range that is too long',
      'trusted_proxies: [::1, 10.0.0.0/33]',
      '1:24  trusted_proxies[1]: expected an IP address or a range such as 10.0.0.0/8',
    ],
    [
      'a range of a range',
      'trusted_proxies: [10.0.0.0/8/8]',
      '1:19  trusted_proxies[0]: expected an IP address or a range such as 10.0.0.0/8',
    ],
  ])('refuses %s', async (_, yaml, line) => {
    expect(await refusals(yaml)).toEqual([`broker.yaml:${line}`])
  })

  it.each([
    ['store: {postgres: {url: {env: DATABASE_URL}}}', 'store: postgres is not supported yet; use sqlite'],
    ['store: postgres', 'store: postgres is not supported yet; use sqlite'],
    ['definitions_dir: x', 'definitions_dir: not supported yet; remove it'],
    ['webhooks: []', 'webhooks: not supported yet; remove it'],
    ['egress_proxy: http://p.example', 'egress_proxy: not supported yet; remove it'],
    ['webhooks:', 'webhooks: not supported yet; remove it'],
  ])('refuses what is reserved: %s', async (yaml, line) => {
    expect(await refusals(yaml)).toEqual([`broker.yaml:1:1  ${line}`])
  })

  it('reports several mistakes in the order of their lines', async () => {
    const yaml = 'zzz: 1\nlog: {level: 3}\nlisten: {http: {address: x}}\nstore: x\n'
    expect((await refusals(yaml)).map(line => line.split(' ')[0])).toEqual([
      'broker.yaml:1:1',
      'broker.yaml:2:7',
      'broker.yaml:3:17',
      'broker.yaml:4:1',
    ])
  })
})

describe('loadConfig() with public_url', () => {
  it.each([
    ['https://broker.example.com', 'https://broker.example.com'],
    ['https://broker.example.com/', 'https://broker.example.com'],
    ['https://broker.example.com/oauth//', 'https://broker.example.com/oauth'],
    ['https://Broker.Example.com:443', 'https://broker.example.com'],
    ['http://localhost:8085', 'http://localhost:8085'],
    ['http://127.1.2.3', 'http://127.1.2.3'],
    ['"http://[::1]:80"', 'http://[::1]'],
  ])('reads %s as %s', async (written, expected) => {
    expect((await load(`public_url: ${written}`)).publicUrl).toBe(expected)
  })

  it.each([
    ['http://broker.example.com', 'must be https; plain http is only for localhost'],
    ['http://localhost.example.com', 'must be https; plain http is only for localhost'],
    ['http://128.0.0.1', 'must be https; plain http is only for localhost'],
    ['https://a.example/?x=1', 'expected a URL without query and fragment'],
    ['"https://a.example/#"', 'expected a URL without query and fragment'],
    ['https://me:pass@a.example', 'expected a URL without user and password'],
    ['broker.example.com', 'expected a URL such as https://broker.example.com'],
    ['ftp://a.example', 'expected a URL such as https://broker.example.com'],
    ['"https:a.example"', 'expected a URL such as https://broker.example.com'],
  ])('refuses %s', async (written, message) => {
    expect(await refusals(`public_url: ${written}`)).toEqual([`broker.yaml:1:1  public_url: ${message}`])
  })

  it('follows the port of the consent listener where it is absent', async () => {
    expect((await load('listen: {http: {address: "[::1]:9000"}}')).publicUrl).toBe('http://localhost:9000')
    expect((await load('listen: {http: {address: 127.0.0.1:80}}')).publicUrl).toBe('http://localhost')
  })

  it('is required where the consent listener is not loopback', async () => {
    const yaml = 'data_dir: x\nlisten: {http: {address: 0.0.0.0:8085, tls: proxy}}'
    expect(await refusals(yaml)).toEqual([`broker.yaml:1:1  public_url: ${PUBLIC}`])
    expect((await load(`${yaml}\npublic_url: https://b.example`)).publicUrl).toBe('https://b.example')
  })
})

describe('loadConfig() with an address to listen on', () => {
  it.each([
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['127.255.0.1:65535', '127.255.0.1', 65_535],
    ['localhost:8086', 'localhost', 8086],
    ['"[::1]:8086"', '::1', 8086],
  ])('reads %s without TLS', async (written, host, port) => {
    expect((await load(`listen: {admin: {address: ${written}}}`)).listen.admin).toEqual({
      host,
      port,
      tls: undefined,
    })
  })

  it.each([
    ['8086'.padStart(5, ':')],
    ['127.0.0.1'],
    ['127.0.0.1:65536'],
    ['"127.0.0.1:"'],
    ['"[::1:8086"'],
    ['"::1:8086"'],
    ['"[g::1]:1"'],
    ['http://127.0.0.1:1'],
    ['"127.0.0.1:1 "'],
  ])('refuses %s', async written => {
    expect(await refusals(`listen: {admin: {address: ${written}}}`)).toEqual([
      `broker.yaml:1:18  listen.admin.address: ${ADDRESS}`,
    ])
  })

  it.each([
    ['0.0.0.0:1'],
    ['"[::]:1"'],
    ['10.0.0.1:1'],
    ['126.255.255.255:1'],
    ['broker.example:1'],
    ['localhost.example:1'],
  ])('refuses %s without TLS', async written => {
    expect(await refusals(`listen: {admin: {address: ${written}}}`)).toEqual([
      `broker.yaml:1:18  listen.admin.address: ${GUARD}`,
    ])
  })

  it('refuses the same address twice, but lets the system choose twice', async () => {
    const twice = 'listen:\n  grpc: [{address: 127.0.0.1:1}]\n  admin: {address: 127.0.0.1:1}'
    expect(await refusals(twice)).toEqual([
      'broker.yaml:3:11  listen.admin.address: is the address of listen.grpc[0] too; change one',
    ])
    await load('listen: {http: {address: 127.0.0.1:0}, admin: {address: 127.0.0.1:0}}')
  })

  it('refuses an empty list of gRPC listeners', async () => {
    expect(await refusals('listen: {grpc: []}')).toEqual([
      'broker.yaml:1:10  listen.grpc: expected at least 1 in the list',
    ])
  })
})

function tlsOf({ listen }: Config): Listener['tls'] {
  const [listener] = listen.grpc
  if (listener === undefined || 'socket' in listener) throw new Error('no address')
  return listener.tls
}

describe('loadConfig() with TLS', () => {
  const yaml = `listen: {grpc: [{address: 0.0.0.0:1, tls: {cert: tls/cert.pem, key: /key.pem}}]}\n${SOMEBODY}`
  const files = { '/srv/tls/cert.pem': fixture('cert.pem'), '/key.pem': fixture('key.pem') }

  it('reads certificate and key', async () => {
    const tls = tlsOf(await load(yaml, { files }))
    if (typeof tls !== 'object') throw new Error('no TLS')
    expect(tls.cert).toBe(files['/srv/tls/cert.pem'])
    expect(tls.key.expose()).toBe(files['/key.pem'])
    expect(tls.clientCa).toBeUndefined()
    expect(tls.files).toEqual({ cert: '/srv/tls/cert.pem', key: '/key.pem' })
  })

  it('reads the authorities of clients', async () => {
    const withClients = yaml.replace('key: /key.pem', 'key: /key.pem, client_ca: clients.pem')
    const bundle = fixture('cert.pem') + fixture('cert.pem')
    const tls = tlsOf(await load(withClients, { files: { ...files, '/srv/clients.pem': bundle } }))
    expect(tls).toMatchObject({ clientCa: bundle, files: { clientCa: '/srv/clients.pem' } })
    expect(
      await refusals(withClients, { files: { ...files, '/srv/clients.pem': fixture('key.pem') } }),
    ).toEqual([
      'broker.yaml:1:79  listen.grpc[0].tls.client_ca: expected certificates as PEM, or the path of a file of them',
    ])
  })

  it('refuses authorities of clients where there are only browsers', async () => {
    expect(
      await refusals('listen: {http: {address: 127.0.0.1:2, tls: {cert: c, key: k, client_ca: a}}}'),
    ).toEqual([
      'broker.yaml:1:62  listen.http.tls.client_ca: is only for listen.grpc; browsers and probes have no certificates',
    ])
  })

  it('takes proxy as it is', async () => {
    const config = await load(`listen: {grpc: [{address: 0.0.0.0:1, tls: proxy}]}\n${SOMEBODY}`)
    expect(tlsOf(config)).toBe('proxy')
  })

  const cert = 'broker.yaml:1:44  listen.grpc[0].tls.cert:'
  const key = 'broker.yaml:1:64  listen.grpc[0].tls.key:'
  it.each([
    [
      'absent files',
      {},
      [`${cert} the file /srv/tls/cert.pem does not exist`, `${key} the file /key.pem does not exist`],
    ],
    [
      'a key for a certificate',
      { ...files, '/srv/tls/cert.pem': fixture('key.pem') },
      [`${cert} expected a PEM file that starts with a certificate, the chain below it`],
    ],
    [
      'a certificate for a key',
      { ...files, '/key.pem': fixture('cert.pem') },
      [`${key} expected a PEM file with a private key that is not encrypted`],
    ],
    [
      'an encrypted key',
      { ...files, '/key.pem': fixture('encrypted-key.pem') },
      [`${key} expected a PEM file with a private key that is not encrypted`],
    ],
    [
      "somebody else's key",
      { ...files, '/key.pem': fixture('other-key.pem') },
      [`${key} is not the key of the certificate in cert`],
    ],
  ])('refuses %s', async (_, given, lines) => {
    expect(await refusals(yaml, { files: given })).toEqual(lines)
  })

  it('refuses a word that is not proxy, and a key that stands in the file', async () => {
    expect(await refusals('listen: {http: {address: 127.0.0.1:1, tls: on}}')).toEqual([
      'broker.yaml:1:39  listen.http.tls: expected {cert: PATH, key: PATH}, or proxy',
    ])
    const literal = `listen:\n  http:\n    address: 127.0.0.1:1\n    tls:\n      cert: c\n      key: |\n        ${fixture('key.pem').replaceAll('\n', '\n        ')}`
    expect(await refusals(literal)).toEqual([
      'broker.yaml:6:7  listen.http.tls.key: expected the path of a PEM file, not its content',
    ])
  })
})

describe('loadConfig() with root_key', () => {
  it('makes only the default file', async () => {
    expect((await load('root_key: {file: /run/key}')).rootKey).toEqual({
      kind: 'file',
      path: '/run/key',
      createIfMissing: false,
    })
    expect((await load('data_dir: d\nroot_key: {file: d/root.key}')).rootKey).toEqual({
      kind: 'file',
      path: '/srv/d/root.key',
      createIfMissing: true,
    })
    expect((await load('data_dir: d\nroot_key: {file: data/root.key}')).rootKey).toMatchObject({
      createIfMissing: false,
    })
  })

  it('takes a value from a variable or a command, and says where it is from', async () => {
    const variable = (await load('root_key: {env: KEY}', { env: { KEY: 'k1' } })).rootKey
    const command = (
      await load('root_key: {command: [kms, --secret, hunter2]}', { commands: { kms: 'k2\n' } })
    ).rootKey
    if (variable.kind !== 'value' || command.kind !== 'value') throw new Error('no value')
    expect([variable.value.expose(), variable.origin]).toEqual(['k1', 'the variable KEY'])
    expect([command.value.expose(), command.origin]).toEqual(['k2', 'the command kms'])
  })

  it('refuses a value that is not there', async () => {
    expect(await refusals('root_key: {env: KEY}')).toEqual([
      'broker.yaml:1:1  root_key: the variable KEY is not set',
    ])
  })
})
