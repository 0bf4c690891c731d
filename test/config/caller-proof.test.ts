import { describe, expect, it } from 'vitest'
import type { CallerConfig } from '../../src/config/config.ts'
import { fixture, load, refusals, SOMEBODY, sha256 } from './world.ts'

const FILES = { '/srv/c.pem': fixture('cert.pem'), '/srv/k.pem': fixture('key.pem') }
const LISTEN = 'listen: {grpc: [{address: 127.0.0.1:1, tls: {cert: c.pem, key: k.pem, client_ca: c.pem}}]}'
const ALLOW = 'allow: [{providers: [x], accounts: [""], methods: [GetStatus]}]'

/** A file with a listener that asks for certificates on line 1, and one caller on lines 3 to 5. */
function file(proof: string): string {
  return `${LISTEN}\ncallers:\n  - name: a\n    ${proof}\n    ${ALLOW}\n`
}

async function proofOf(proof: string): Promise<CallerConfig['proof'] | undefined> {
  return (await load(file(proof), { files: FILES })).callers[0]?.proof
}

async function refusalsOf(proof: string): Promise<string[]> {
  return (await refusals(file(proof), { files: FILES })).map(line => line.replace(/^.*callers\[0\]/, ''))
}

const SPIFFE = 'expected the SPIFFE ID of a workload such as spiffe://example.org/billing'
const DNS = 'expected one DNS name such as reports.internal.example, without *'
const WAYS = 'a caller is known by one of them, so make two callers'

describe('loadConfig() with what a caller is known by', () => {
  it.each([
    ['spiffe: https://example.org/a', `.spiffe: ${SPIFFE}`],
    ['spiffe: spiffe://example.org', `.spiffe: ${SPIFFE}`],
    ['spiffe: spiffe://example.org/a/', `.spiffe: ${SPIFFE}`],
    ['spiffe: spiffe://example.org/a/../b', `.spiffe: ${SPIFFE}`],
    ['spiffe: spiffe://Example.org/a', `.spiffe: ${SPIFFE}`],
    ['spiffe: spiffe://example.org:443/a', `.spiffe: ${SPIFFE}`],
    ['spiffe: "spiffe://example.org/*"', `.spiffe: ${SPIFFE}`],
    ['dns: "*.example.org"', `.dns: ${DNS}`],
    ['dns: -a.example.org', `.dns: ${DNS}`],
    ['dns: a..example.org', `.dns: ${DNS}`],
    ['{spiffe: spiffe://e.org/a, dns: b}', `.dns: stands beside spiffe; ${WAYS}`],
    [`{token_sha256: "${sha256(1)}", dns: b}`, `.dns: stands beside token_sha256; ${WAYS}`],
    [
      '{dns: b, expires: 2027-01-31}',
      '.expires: is only for token_sha256; certificates and JWTs say themselves when they end',
    ],
    [`token_sha256: []`, '.token_sha256: expected at least 1 in the list'],
    [
      `token_sha256: ["${sha256(1)}", "${sha256(2)}", "${sha256(3)}"]`,
      '.token_sha256: expected at most 2 in the list',
    ],
    [`token_sha256: ["${sha256(1)}", "${sha256(1)}"]`, '.token_sha256: is in this list twice'],
    [
      `{token_sha256: ["${sha256(1)}", "${sha256(2)}"], expires: [2027-01-31]}`,
      '.expires: expected one date for all tokens, or as many as there are in token_sha256',
    ],
  ])('refuses %s', async (proof, line) => {
    const flat = proof.startsWith('{')
      ? proof.slice(1, -1).replaceAll(', ', '\n    ').replaceAll('"\n    "', '", "')
      : proof
    expect(await refusalsOf(flat)).toEqual([line])
  })

  it('reads identities of certificates', async () => {
    expect(await proofOf('spiffe: spiffe://example.org/billing')).toEqual({
      kind: 'mtls',
      identity: 'spiffe://example.org/billing',
    })
    expect(await proofOf('dns: Reports.Example.org')).toEqual({
      kind: 'mtls',
      identity: 'dns:reports.example.org',
    })
  })

  it('reads two tokens, with one end or with an end each', async () => {
    const both = `token_sha256: ["${sha256(1)}", "${sha256(2)}"]`
    const [one, two] = [Date.UTC(2027, 0, 31), Date.UTC(2027, 5, 30)]
    expect(await proofOf(`${both}\n    expires: 2027-01-31`)).toMatchObject({
      tokens: [
        { sha256: sha256(1), expiresAtMs: one },
        { sha256: sha256(2), expiresAtMs: one },
      ],
    })
    expect(await proofOf(`${both}\n    expires: [2027-01-31, 2027-06-30]`)).toMatchObject({
      tokens: [{ expiresAtMs: one }, { expiresAtMs: two }],
    })
  })

  it('refuses one identity for two callers', async () => {
    const twice = `${file('dns: a.example')}  - name: b\n    dns: A.example\n    ${ALLOW}\n`
    expect(await refusals(twice, { files: FILES })).toEqual([
      'broker.yaml:7:5  callers[1].dns: is the identity of callers[0] too',
    ])
  })

  it('refuses an identity that no listener asks for', async () => {
    const yaml = file('dns: a.example').replace(', client_ca: c.pem', '')
    expect(await refusals(yaml, { files: FILES })).toEqual([
      'broker.yaml:4:5  callers[0].dns: no listener asks for certificates; add client_ca to the tls of one in listen.grpc',
    ])
  })
})

const JWT = 'issuer: https://i.example, audience: tb, subject: web'
const KEYS = 'jwks_url: https://i.example/keys'

describe('loadConfig() with jwt', () => {
  it.each([
    [`{${KEYS}}`, ['.jwt.audience: is missing', '.jwt.subject: is missing']],
    [
      `{audience: tb, subject: web, ${KEYS}}`,
      [
        '.jwt.issuer: is missing; only SPIFFE JWT-SVIDs, whose subject starts with spiffe://, may have no issuer',
      ],
    ],
    [`{${JWT}}`, ['.jwt: expected exactly one of jwks_url and jwks_file']],
    [`{${JWT}, ${KEYS}, jwks_file: k}`, ['.jwt: expected exactly one of jwks_url and jwks_file']],
    [
      `{${JWT}, jwks_file: k, ca: c.pem}`,
      ['.jwt: ca, allow_networks and jwks_token_file are only for jwks_url'],
    ],
    [
      `{${JWT}, jwks_url: http://i.example/keys}`,
      ['.jwt.jwks_url: must be https; plain http is only for localhost'],
    ],
    [`{${JWT}, jwks_url: "{tenant}"}`, ['.jwt.jwks_url: expected a URL such as https://issuer.example/keys']],
    [
      `{${JWT}, ${KEYS}, ca: k.pem}`,
      ['.jwt.ca: expected certificates as PEM, or the path of a file of them'],
    ],
    [`{${JWT}, ${KEYS}, max_lifetime: 31d}`, ['.jwt.max_lifetime: expected a duration from 1s to 30d']],
    [
      `{${JWT}, ${KEYS}, claims: {aud: x}}`,
      ['.jwt.claims: iss, aud and sub have keys of their own, and times are always checked'],
    ],
    [
      `{${JWT.replace('web', '"*"')}, ${KEYS}}`,
      ['.jwt.subject: expected what sub has to be, or its beginning and *; not * alone'],
    ],
    [
      `{${JWT.replace('web', '"spiffe://e*"')}, ${KEYS}}`,
      ['.jwt.subject: expected a SPIFFE ID with its whole trust domain, such as spiffe://example.org/*'],
    ],
    [`{${JWT}, ${KEYS}, typ: a b}`, ['.jwt.typ: expected a media type such as at+jwt']],
  ])('refuses %s', async (jwt, lines) => {
    expect(await refusalsOf(`jwt: ${jwt}`)).toEqual(lines)
  })

  it.each(['none', 'HS256', 'HS512', 'rs256'])('refuses the algorithm %s', async algorithm => {
    const [line] = await refusalsOf(`jwt: {${JWT}, ${KEYS}, algorithms: [${algorithm}]}`)
    expect(line).toContain('.jwt.algorithms[0]: expected RS256 or RS384 or')
  })

  it('has safe defaults', async () => {
    expect(await proofOf(`jwt: {${JWT}, ${KEYS}}`)).toEqual({
      kind: 'jwt',
      issuer: 'https://i.example',
      audience: 'tb',
      subject: 'web',
      keys: { kind: 'url', url: 'https://i.example/keys' },
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      maxLifetimeMs: 24 * 3_600_000,
      claims: new Map(),
    })
  })

  it('reads everything', async () => {
    const all = `${JWT}, ${KEYS}, ca: c.pem, jwks_token_file: t, allow_networks: [10.0.0.0/8], algorithms: [ES384], max_lifetime: 1h, typ: application/at+JWT, claims: {/a/b: 1, c: true}`
    expect(await proofOf(`jwt: {${all}}`)).toMatchObject({
      keys: { kind: 'url', ca: FILES['/srv/c.pem'], tokenFile: '/srv/t', allowNetworks: ['10.0.0.0/8'] },
      algorithms: ['ES384'],
      maxLifetimeMs: 3_600_000,
      typ: 'at+jwt',
      claims: new Map<string, unknown>([
        ['/a/b', 1],
        ['c', true],
      ]),
    })
    expect(
      await proofOf('jwt: {audience: tb, subject: "spiffe://e.org/*", jwks_file: keys.json}'),
    ).toMatchObject({
      keys: { kind: 'file', path: '/srv/keys.json' },
    })
  })

  it('refuses other keys for the same issuer, and the same rule twice', async () => {
    const other = (jwt: string) =>
      `${file(`jwt: {${JWT}, ${KEYS}}`)}  - name: b\n    jwt: {${jwt}}\n    ${ALLOW}\n`
    expect(await refusals(other(`${JWT}, jwks_file: k`), { files: FILES })).toEqual([
      'broker.yaml:7:66  callers[1].jwt.jwks_file: callers[0] reads the keys of this issuer otherwise; write the same for both',
    ])
    expect(await refusals(other(`${JWT}, ${KEYS}`), { files: FILES })).toEqual([
      'broker.yaml:7:5  callers[1].jwt: takes the same tokens as callers[0]',
    ])
  })
})

describe('loadConfig() of a broker that nobody could call', () => {
  const OUTSIDE =
    'listen: {grpc: [{address: 127.0.0.1:1}, {address: 0.0.0.0:2, tls: {cert: c.pem, key: k.pem}}]}'
  const nobody = SOMEBODY.replace(/allow: \[.*?\}\]/, 'allow: []')

  it.each([
    [
      OUTSIDE,
      'broker.yaml:1:1  callers: is empty, but other machines reach listen.grpc[1]; say who may call what',
    ],
    [
      `${OUTSIDE}\n${nobody}`,
      'broker.yaml:2:1  callers: allows nobody anything, but other machines reach listen.grpc[1]; say who may call what',
    ],
    [
      'listen: {grpc: [{address: 127.0.0.1:1, tls: proxy}]}',
      'broker.yaml:1:1  callers: is empty, but other machines reach listen.grpc[0]; say who may call what',
    ],
    [
      'operator_token: off',
      'broker.yaml:1:1  callers: is empty, but operator_token is off; say who may call what',
    ],
  ])('refuses %s', async (yaml, line) => {
    expect(await refusals(yaml, { files: FILES })).toEqual([line])
  })

  it('serves it with somebody who may call, or on this machine alone', async () => {
    expect((await load(`${OUTSIDE}\n${SOMEBODY}`, { files: FILES })).callers).toHaveLength(1)
    expect((await load(`operator_token: off\n${SOMEBODY}`)).operatorToken).toBe('off')
    expect(
      (await load('listen: {grpc: [{address: "[::1]:1"}, {socket: run/tb.sock}]}')).listen.grpc[1],
    ).toEqual({
      socket: '/srv/run/tb.sock',
    })
  })
})

describe('loadConfig() with a socket', () => {
  it.each([
    ['{}', '1:17  listen.grpc[0]: expected exactly one of address and socket'],
    ['{address: 127.0.0.1:1, socket: a}', '1:17  listen.grpc[0]: expected exactly one of address and socket'],
    [
      '{socket: a, tls: proxy}',
      '1:29  listen.grpc[0].tls: a socket has no TLS: only processes of this user on this machine reach it',
    ],
    [
      '{socket: a}, {socket: ./a}',
      '1:31  listen.grpc[1].socket: is the socket of listen.grpc[0] too; change one',
    ],
    [
      `{socket: ${'a'.repeat(99)}}`,
      `1:18  listen.grpc[0].socket: is /srv/${'a'.repeat(99)}, longer than the 103 bytes that systems allow for a socket; take a shorter path`,
    ],
  ])('refuses %s', async (listeners, line) => {
    expect(await refusals(`listen: {grpc: [${listeners}]}`)).toEqual([`broker.yaml:${line}`])
  })
})
