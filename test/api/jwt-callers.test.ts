import { createHmac } from 'node:crypto'
import { type CryptoKey, exportSPKI, importJWK, type JWTPayload } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Callers, createCallers } from '../../src/api/callers.ts'
import { KEYS_AGE_MS, READ_MS_MAX, REREAD_MS, WAITING_MAX } from '../../src/api/jwks.ts'
import { createJwtVerifier, PENDING_MAX } from '../../src/api/jwt-verifier.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import type { CallerConfig, JwksSource, JwtProof } from '../../src/config/config.ts'
import { createFakeClock, settle } from '../broker/fake-clock.ts'
import { assemble, createKey, type IssuerKey, sign } from './jwt-issuer.ts'
import { createRecordingLog } from './running-server.ts'

const ISSUER = 'https://issuer.example'
const KEYS: JwksSource = { kind: 'url', url: 'https://issuer.example/keys?x=canary' }
const WEB: JwtProof = {
  kind: 'jwt',
  issuer: ISSUER,
  audience: 'token-broker',
  subject: 'system:serviceaccount:web:api',
  keys: KEYS,
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  maxLifetimeMs: 3_600_000,
  claims: new Map(),
}

const [key, other] = await Promise.all([createKey('k1'), createKey('k2')])

interface World {
  readonly callers: Callers
  readonly clock: ReturnType<typeof createFakeClock>
  readonly log: ReturnType<typeof createRecordingLog>
  /** What the issuer publishes; an error is thrown, a promise is waited for. */
  published: unknown
  reads: number
  /** Where keys are read that never come. */
  readonly hanging: Set<JwksSource>
}

let world: World

function caller(name: string, proof: Partial<JwtProof> = {}): CallerConfig {
  return { name, proof: { ...WEB, ...proof }, allow: [] }
}

function createWorld(...configs: CallerConfig[]): World {
  const clock = createFakeClock()
  const log = createRecordingLog()
  const jwts = createJwtVerifier({ readKeys, clock, log })
  const created = createCallers({ callers: configs, jwts, clock })
  async function readKeys(source: JwksSource): Promise<string> {
    world.reads++
    if (world.hanging.has(source)) return new Promise(() => {})
    const published = await world.published
    if (published instanceof Error) throw published
    return typeof published === 'string' ? published : JSON.stringify({ keys: published })
  }
  return { callers: created, clock, log, published: [key.jwk], reads: 0, hanging: new Set() }
}

beforeEach(() => {
  world = createWorld(caller('web'))
})

const seconds = () => Math.floor(world.clock.now() / 1_000)

function claims(changes: JWTPayload = {}): JWTPayload {
  const [iat, exp] = [seconds(), seconds() + 600]
  return { iss: ISSUER, aud: 'token-broker', sub: 'system:serviceaccount:web:api', iat, exp, ...changes }
}

/** Whom the broker takes the bearer of a token for. */
async function nameOf(token: string): Promise<string> {
  const { callers } = world
  const proof = await callers.authenticate({ authorization: [`Bearer ${token}`], peer: () => undefined })
  return callers.identify(proof).name
}

async function refusal(token: string): Promise<BrokerError> {
  const error = await nameOf(token).then(
    name => new Error(`it is taken for ${name}`),
    (error: unknown) => error,
  )
  if (error instanceof BrokerError) return error
  throw error
}

/** The public key as text: what a confused verifier would take for the secret of HS256. */
async function publicText({ jwk, algorithm }: IssuerKey): Promise<string> {
  return exportSPKI((await importJWK(jwk, algorithm)) as CryptoKey)
}

function hmac(token: string, secret: string): string {
  return `${token}${createHmac('sha256', secret).update(token.slice(0, -1)).digest('base64url')}`
}

/** Signs what is refused for one thing only. */
const forged: Record<string, readonly [make: () => string | Promise<string>, why: string]> = {
  'without a signature': [() => assemble({ alg: 'none' }, claims()), 'algorithm'],
  'with an algorithm in odd case': [() => assemble({ alg: 'nOnE', kid: 'k1' }, claims()), 'algorithm'],
  'whose signature is cut off': [
    async () => (await sign(key, claims())).replace(/[^.]+$/, ''),
    'signature of the JWT is wrong',
  ],
  'signed with HS256 and the public key as text': [
    async () => hmac(assemble({ alg: 'HS256', kid: 'k1' }, claims()), await publicText(key)),
    'algorithm',
  ],
  'signed with HS256 and the published key': [
    () => hmac(assemble({ alg: 'HS256', kid: 'k1' }, claims()), JSON.stringify(key.jwk)),
    'algorithm',
  ],
  'that brings its own key (jwk)': [
    () => sign({ ...other, jwk: key.jwk }, claims(), { jwk: other.jwk }),
    'signature of the JWT is wrong',
  ],
  'that says where its key is (jku)': [
    () => sign(other, claims(), { jku: 'https://evil.example/keys' }),
    'a key that its issuer does not have',
  ],
  'that brings a chain (x5c, x5u)': [
    () => sign(other, claims(), { x5c: ['MIIB'], x5u: 'https://evil.example/chain' }),
    'a key that its issuer does not have',
  ],
  'with a kid that looks like a path': [
    () => sign({ ...other, jwk: { ...other.jwk, kid: '../../../dev/null' } }, claims()),
    'a key that its issuer does not have',
  ],
  'whose claims were changed': [
    async () => {
      const [header, , signature] = (await sign(key, claims({ sub: 'x' }))).split('.')
      return `${header}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.${signature}`
    },
    'signature of the JWT is wrong',
  ],
  'with an extension that nobody here knows (crit)': [
    () => assemble({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 }, claims(), 'AA'),
    'damaged',
  ],
  'of another issuer': [() => sign(key, claims({ iss: 'https://evil.example' })), 'with the issuer'],
  'of an issuer that only begins alike': [() => sign(key, claims({ iss: `${ISSUER}/` })), 'with the issuer'],
  'without an issuer': [() => sign(key, claims({ iss: undefined })), 'with the issuer'],
  'for another audience': [() => sign(key, claims({ aud: 'other' })), 'another audience'],
  'for an audience that only begins alike': [
    () => sign(key, claims({ aud: ['token-broker-2'] })),
    'another audience',
  ],
  'without an audience': [() => sign(key, claims({ aud: undefined })), 'claim aud is missing'],
  'of another subject': [
    () => sign(key, claims({ sub: 'system:serviceaccount:web:api2' })),
    'no caller has its subject',
  ],
  'whose subject is no text': [() => sign(key, claims({ sub: ['x'] as unknown as string })), 'wrong type'],
  'that has expired': [() => sign(key, claims({ exp: seconds() })), 'has expired'],
  'without an end': [() => sign(key, claims({ exp: undefined })), 'claim exp is missing'],
  'whose end is text': [() => sign(key, claims({ exp: '9999999999' as unknown as number })), 'claim exp'],
  'without its beginning': [() => sign(key, claims({ iat: undefined })), 'claim iat is missing'],
  'issued in the future': [() => sign(key, claims({ iat: seconds() + 11 })), 'in the future'],
  'not valid yet': [() => sign(key, claims({ nbf: seconds() + 11 })), 'claim nbf'],
  'that lives too long': [() => sign(key, claims({ exp: seconds() + 3_601 })), 'max_lifetime'],
  'for another purpose (typ)': [() => sign(key, claims(), { typ: 'logout+jwt' }), 'another purpose'],
  'bound to a key (cnf)': [() => sign(key, claims({ cnf: { jkt: 'x' } })), 'bound to a key'],
  'that is no JSON': [() => `eyJ4.${'x'.repeat(20)}.AA`, 'damaged'],
  'that is encrypted': [
    () => `${assemble({ alg: 'dir', enc: 'A256GCM' }, {})}.AA.AA`,
    'no token of a caller',
  ],
  'longer than any': [() => sign(key, claims({ x: 'x'.repeat(20_000) })), 'longer than 16 KiB'],
}

describe('a JWT', () => {
  it.each(Object.keys(forged))('%s is refused', async name => {
    const [make, why] = forged[name] ?? [() => '', '']
    const token = await make()
    const { reason, message } = await refusal(token)
    expect(reason).toBe('CALLER_UNAUTHENTICATED')
    expect(message).toContain(why)
    expect(message).not.toContain(token.slice(-20))
    expect(message).not.toContain('evil')
  })

  it('that is right is believed', async () => {
    expect(await nameOf(await sign(key, claims()))).toBe('web')
    expect(await nameOf(await sign(key, claims({ aud: ['x', 'token-broker'] }), { typ: 'JWT' }))).toBe('web')
    expect(
      await nameOf(await sign(key, claims({ exp: seconds() + 3_600 }), { typ: 'application/at+jwt' })),
    ).toBe('web')
    expect(await nameOf(await sign(key, claims({ iat: seconds() + 10, nbf: seconds() + 10 })))).toBe('web')
  })

  it('is believed until it ends, and not from then on, whoever remembers it', async () => {
    const token = await sign(key, claims())
    expect(await nameOf(token)).toBe('web')
    await world.clock.advance(599_000)
    expect(await nameOf(token)).toBe('web')
    await world.clock.advance(1_000)
    expect((await refusal(token)).message).toContain('has expired')
  })

  it('that was seen before is known without waiting', async () => {
    const token = await sign(key, claims())
    const credentials = { authorization: [`Bearer ${token}`], peer: () => undefined }
    const first = world.callers.authenticate(credentials)
    expect(first).toBeInstanceOf(Promise)
    expect(world.callers.authenticate(credentials)).toBe(first)
    await first
    await nameOf(token)
    expect(world.callers.authenticate(credentials)).not.toBeInstanceOf(Promise)
    expect(world.reads).toBe(1)
  })
})

describe('a caller that is known by JWTs', () => {
  it.each<readonly [string, Partial<JwtProof>, JWTPayload, Record<string, unknown>, boolean]>([
    ['subjects that begin alike', { subject: 'system:serviceaccount:web:*' }, {}, {}, true],
    ['subjects of elsewhere', { subject: 'system:serviceaccount:web2:*' }, {}, {}, false],
    ['a claim', { claims: new Map([['email', 'a@b.c']]) }, { email: 'a@b.c' }, {}, true],
    ['a claim that is another', { claims: new Map([['email', 'a@b.c']]) }, { email: 'x@b.c' }, {}, false],
    ['a claim that is not there', { claims: new Map([['email', 'a@b.c']]) }, {}, {}, false],
    ['a claim of another type', { claims: new Map([['admin', true]]) }, { admin: 'true' }, {}, false],
    ['a member of a list', { claims: new Map([['groups', 'ops']]) }, { groups: ['dev', 'ops'] }, {}, true],
    [
      'a claim further down',
      { claims: new Map([['/kubernetes.io/pod/name', 'p-1']]) },
      { 'kubernetes.io': { pod: { name: 'p-1' } } },
      {},
      true,
    ],
    ['a claim of every map', { claims: new Map([['/x/constructor/name', 'Object']]) }, { x: {} }, {}, false],
    ['one type', { typ: 'at+jwt' }, {}, { typ: 'AT+JWT' }, true],
    ['one type, and there is none', { typ: 'at+jwt' }, {}, {}, false],
    ['an odd type', { typ: 'web+jwt' }, {}, { typ: 'web+jwt' }, true],
    ['another algorithm', { algorithms: ['RS256'] }, {}, {}, false],
  ])('with %s', async (_, proof, changes, header, expected) => {
    world = createWorld(caller('one', proof))
    const outcome = nameOf(await sign(key, claims(changes), header)).then(
      () => true,
      () => false,
    )
    expect(await outcome).toBe(expected)
  })

  it('is the first of those whose rules are met', async () => {
    world = createWorld(
      caller('elsewhere', { audience: 'other' }),
      caller('exact'),
      caller('any', { subject: 'system:*' }),
    )
    expect(await nameOf(await sign(key, claims()))).toBe('exact')
    expect(await nameOf(await sign(key, claims({ sub: 'system:x' })))).toBe('any')
    expect(world.reads).toBe(1)
  })

  it('is told apart by the algorithm that its own rule allows, not those of others', async () => {
    world = createWorld(
      caller('rsa', { algorithms: ['RS256'] }),
      caller('ec', { audience: 'other', algorithms: ['ES256'] }),
    )
    expect((await refusal(await sign(key, claims()))).message).toContain('not signed as the caller has to')
  })

  it('may have an SVID, which needs no issuer, signed with a key of a SPIFFE bundle', async () => {
    const subject = 'spiffe://example.org/billing'
    world = createWorld(caller('billing', { issuer: undefined, subject }))
    const { use: _, alg: __, ...bare } = key.jwk
    world.published = [
      { ...other.jwk, use: 'x509-svid', x5c: ['MIIB'] },
      { ...bare, use: 'jwt-svid' },
    ]
    expect(await nameOf(await sign(key, claims({ iss: undefined, sub: subject }), { typ: 'JOSE' }))).toBe(
      'billing',
    )
    const foreign = await sign(key, claims({ iss: undefined, sub: 'spiffe://evil.example/billing' }))
    expect((await refusal(foreign)).message).toContain('with the issuer')
    expect((await refusal(await sign(key, claims({ sub: subject })))).message).toContain('with the issuer')
  })

  it('is not known any more once the configuration says so', async () => {
    const token = await sign(key, claims())
    const proof = await world.callers.authenticate({
      authorization: [`Bearer ${token}`],
      peer: () => undefined,
    })
    world.callers.replace([caller('renamed')])
    expect(world.callers.identify(proof).name).toBe('renamed')
    world.callers.replace([caller('web', { audience: 'other' })])
    expect(() => world.callers.identify(proof)).toThrow('another audience')
    world.callers.replace([caller('web', { keys: { kind: 'file', path: '/other' } })])
    expect(() => world.callers.identify(proof)).toThrow('keys of its issuer are read elsewhere')
    expect(await nameOf(token)).toBe('web')
    expect(world.reads).toBe(2)
    world.callers.replace([])
    expect(() => world.callers.identify(proof)).toThrow('its issuer')
    expect((await refusal(token)).message).toContain('with the issuer')
  })
})

describe('the keys of an issuer', () => {
  it('are read again for a key that is not among them', async () => {
    expect(await nameOf(await sign(key, claims()))).toBe('web')
    world.published = [key.jwk, other.jwk]
    await world.clock.advance(REREAD_MS)
    expect(await nameOf(await sign(other, claims()))).toBe('web')
    expect(world.reads).toBe(2)
  })

  it('are read at most once in 30 seconds, however many tokens make up keys', async () => {
    await nameOf(await sign(key, claims()))
    await world.clock.advance(REREAD_MS - 1)
    const unknown = () => sign({ ...other, jwk: { ...other.jwk, kid: String(Math.random()) } }, claims())
    for (let count = 0; count < 100; count++) await refusal(await unknown())
    expect(world.reads).toBe(1)
    await world.clock.advance(1)
    await Promise.all(Array.from({ length: 50 }, async () => refusal(await unknown())))
    expect(world.reads).toBe(2)
    expect(await nameOf(await sign(key, claims()))).toBe('web')
  })

  it.each<readonly [string, unknown]>([
    ['is away', new Error('cannot reach issuer.example (ECONNREFUSED)')],
    ['answers with something else', '<html>canary</html>'],
    ['answers with nothing', '{"keys":[]}'],
    ['has only secret keys', '{"keys":[{"kty":"oct","k":"AA"}]}'],
    ['has too many', JSON.stringify({ keys: Array.from({ length: 101 }, () => key.jwk) })],
  ])('stay good while it %s', async (_, published) => {
    await nameOf(await sign(key, claims()))
    world.published = published
    await world.clock.advance(KEYS_AGE_MS)
    expect(await nameOf(await sign(key, claims()))).toBe('web')
    await world.clock.advance(REREAD_MS)
    expect((await refusal(await sign(other, claims()))).reason).toBe('CALLER_UNAUTHENTICATED')
    expect(await nameOf(await sign(key, claims({ jti: '2' })))).toBe('web')
    const errors = world.log.lines.filter(({ level }) => level === 'error')
    expect(errors[0]?.message).toContain('those read last stay good')
    expect(JSON.stringify(world.log.lines)).not.toContain('canary')
  })

  it('that were never read are asked for again, and until then a caller may try again', async () => {
    world.published = new Error('away')
    const { reason, details } = await refusal(await sign(key, claims()))
    expect(reason).toBe('BROKER_UNAVAILABLE')
    expect(details.retryAfterMs).toBe(5_000)
    expect((await refusal(await sign(key, claims({ jti: '2' })))).reason).toBe('BROKER_UNAVAILABLE')
    expect(world.reads).toBe(1)
    world.published = [key.jwk]
    await world.clock.advance(5_000)
    expect(await nameOf(await sign(key, claims()))).toBe('web')
  })

  it('are waited for, but not for long', async () => {
    world.published = new Promise(() => {})
    const outcome = refusal(await sign(key, claims()))
    await world.clock.advance(READ_MS_MAX)
    expect((await outcome).reason).toBe('BROKER_UNAVAILABLE')
  })

  it('are looked for by strangers without a caller having to wait for that, or being sent away', async () => {
    expect(await nameOf(await sign(key, claims()))).toBe('web')
    await world.clock.advance(REREAD_MS)
    world.published = new Promise(() => {})
    const forged = Array.from({ length: 1_000 }, (_, nth) =>
      refusal(assemble({ alg: 'ES256', kid: `made up ${nth}` }, claims(), 'AA')),
    )
    await settle()
    expect(await nameOf(await sign(key, claims({ jti: '2' })))).toBe('web')
    expect((await forged.at(-1))?.reason).toBe('BROKER_UNAVAILABLE')
    await world.clock.advance(READ_MS_MAX)
    const reasons = (await Promise.all(forged)).map(({ reason }) => reason)
    expect(reasons.filter(reason => reason === 'CALLER_UNAUTHENTICATED')).toHaveLength(WAITING_MAX)
    expect(world.reads).toBe(2)
  })

  it('that do not come hold up nobody but the callers of that issuer, however many issuers hang', async () => {
    const issuers = Array.from({ length: 5 }, (_, nth) => `https://hanging-${nth}.example`)
    const sources = issuers.map((url): JwksSource => ({ kind: 'url', url }))
    const hanging = issuers.map((issuer, nth) => caller(`hanging-${nth}`, { issuer, keys: sources[nth] }))
    world = createWorld(caller('web'), ...hanging)
    for (const source of sources) world.hanging.add(source)
    const waiting = issuers.flatMap(iss =>
      Array.from({ length: PENDING_MAX + 1 }, (_, nth) =>
        refusal(assemble({ alg: 'ES256', kid: 'k1' }, claims({ iss, jti: String(nth) }), 'AA')),
      ),
    )
    await settle()
    expect(await nameOf(await sign(key, claims()))).toBe('web')
    await world.clock.advance(READ_MS_MAX)
    const refused = await Promise.all(waiting)
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['BROKER_UNAVAILABLE']))
    // Each of six issuers has a sixth of the thousand that may wait.
    const waited = refused.filter(({ message }) => message.includes('cannot be read'))
    expect(waited).toHaveLength(5 * 166)
    expect(world.reads).toBe(issuers.length + 1)
  })

  it('do not have a place taken from them by what is signed with keys of another issuer', async () => {
    const iss = 'https://busy.example'
    world = createWorld(caller('web'), caller('busy', { issuer: iss, keys: { kind: 'file', path: '/busy' } }))
    expect(await nameOf(await sign(key, claims({ iss })))).toBe('busy')
    const token = await sign(key, claims())
    const busy = Array.from({ length: PENDING_MAX + 1 }, (_, nth) =>
      refusal(assemble({ alg: 'ES256', kid: 'k1' }, claims({ iss, jti: String(nth) }), 'AA')),
    )
    // At the same moment, while all of them are being checked.
    const right = nameOf(token)
    expect((await busy.at(-1))?.reason).toBe('BROKER_UNAVAILABLE')
    expect((await busy.at(-2))?.reason).toBe('CALLER_UNAUTHENTICATED')
    expect(await right).toBe('web')
  })

  it('that were withdrawn do not vouch for tokens that they were believed for', async () => {
    const token = await sign(key, claims({ exp: seconds() + 3_600 }))
    expect(await nameOf(token)).toBe('web')
    world.published = [other.jwk]
    await world.clock.advance(REREAD_MS)
    expect(await nameOf(await sign(other, claims()))).toBe('web')
    expect((await refusal(token)).message).toContain('a key that its issuer does not have')
  })

  it('that were withdrawn are noticed also if nobody else comes', async () => {
    const token = await sign(key, claims({ exp: seconds() + 3_600 }))
    expect(await nameOf(token)).toBe('web')
    world.published = [other.jwk]
    await world.clock.advance(KEYS_AGE_MS)
    // The first look only starts the reading.
    await nameOf(token).catch(() => {})
    await world.clock.advance(0)
    expect((await refusal(token)).message).toContain('a key that its issuer does not have')
  })

  it('have to be named where there are several', async () => {
    world.published = [key.jwk, other.jwk]
    expect((await refusal(await sign(key, claims(), { kid: undefined }))).message).toContain(
      'does not say with which',
    )
    world = createWorld(caller('web'))
    expect(await nameOf(await sign(key, claims(), { kid: undefined }))).toBe('web')
  })
})
