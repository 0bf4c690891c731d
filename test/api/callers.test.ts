import { describe, expect, it } from 'vitest'
import { type Caller, type CallersOptions, type Credentials, createCallers } from '../../src/api/callers.ts'
import type { PeerIdentity } from '../../src/api/peer-identity.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { createCallerToken, hashCallerToken } from '../../src/config/caller-token.ts'
import type { CallerConfig, StaticToken } from '../../src/config/config.ts'

const EXPIRY = Date.UTC(2027, 0, 31)
const tokenOf = (byte: number) => createCallerToken(size => Buffer.alloc(size, byte)).token.expose()
const [OPERATOR_TOKEN, TOKEN, UNKNOWN, NEXT] = [tokenOf(1), tokenOf(2), tokenOf(3), tokenOf(4)]
const MISTYPED = TOKEN.replace(/.$/, last => (last === '0' ? '1' : '0'))
const SHA256 = hashCallerToken(TOKEN)
const ALLOW = [{ providers: ['pinterest'], accounts: ['*'], methods: ['GetAccessToken'] }]
const ADS_SYNC = adsSync({ sha256: SHA256, expiresAtMs: EXPIRY })
const BILLING: CallerConfig = {
  name: 'billing',
  proof: { kind: 'mtls', identity: 'spiffe://example.org/billing' },
  allow: ALLOW,
}

function adsSync(...tokens: StaticToken[]): CallerConfig {
  return { name: 'ads-sync', proof: { kind: 'static_token', tokens }, allow: ALLOW }
}

interface Call {
  readonly now?: number
  readonly callers?: readonly CallerConfig[]
  readonly peer?: PeerIdentity
  readonly operatorTokenHash?: CallersOptions['operatorTokenHash']
}

function authenticate(authorization: readonly unknown[], call: Call = {}): Caller {
  const { now = EXPIRY - 1, callers: configured = [ADS_SYNC, BILLING], peer } = call
  const operatorTokenHash =
    'operatorTokenHash' in call ? call.operatorTokenHash : hashCallerToken(OPERATOR_TOKEN)
  const callers = createCallers({ operatorTokenHash, callers: configured, clock: { now: () => now } })
  const credentials: Credentials = { authorization, peer: () => peer }
  const proof = callers.authenticate(credentials)
  if (proof instanceof Promise) throw new Error('it takes time')
  return callers.identify(proof)
}

function refusal(...parameters: Parameters<typeof authenticate>): BrokerError {
  try {
    authenticate(...parameters)
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
  throw new Error('the caller was authenticated')
}

describe('authenticate()', () => {
  it.each([
    ['nothing', [], 'no caller token'],
    ['an empty value', [''], 'not of the form'],
    ['a token without its scheme', [TOKEN], 'not of the form'],
    ['another scheme', [`Basic ${TOKEN}`], 'not of the form'],
    ['a scheme without a token', ['Bearer '], 'not of the form'],
    ['something behind the token', [`Bearer ${TOKEN} x`], 'not of the form'],
    ['bytes', [Buffer.from(`Bearer ${TOKEN}`)], 'not of the form'],
    ['two tokens', [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`], 'more than one'],
    ['a token that nobody has', [`Bearer ${UNKNOWN}`], 'no caller with this token'],
    ['a mistyped token', [`Bearer ${MISTYPED}`], 'mistyped'],
    ['a truncated token', [`Bearer ${TOKEN.slice(0, -1)}`], 'no token of a caller'],
    ["somebody else's kind of token", ['Bearer ya29.abc'], 'no token of a caller'],
    ['the hash instead of the token', [`Bearer ${SHA256}`], 'no token of a caller'],
    ['a JWT where none is expected', ['Bearer eyJhbGciOiJub25lIn0.e30.'], 'no issuer of JWTs is configured'],
  ])('refuses %s', (_, authorization, why) => {
    const { reason, message } = refusal(authorization)
    expect(reason).toBe('CALLER_UNAUTHENTICATED')
    expect(message).toContain(why)
    expect(message).toContain('authorization: Bearer <token>')
    for (const sent of authorization)
      if (String(sent).length > 8) expect(message).not.toContain(String(sent).slice(7))
  })

  it('refuses a token whose hash only begins like a known one', () => {
    const sha256 = `${SHA256.slice(0, 8)}${'0'.repeat(56)}`
    expect(refusal([`Bearer ${TOKEN}`], { now: 0, callers: [adsSync({ sha256 })] }).message).toContain(
      'no caller with this token',
    )
  })

  it('knows a caller by its token', () => {
    const caller = { name: 'ads-sync', authentication: 'static_token', allow: ALLOW }
    expect(authenticate([`Bearer ${TOKEN}`])).toMatchObject(caller)
    expect(authenticate([`bearer  ${TOKEN}`])).toMatchObject(caller)
  })

  it('knows it by both of its tokens while one is replaced, until each of them ends', () => {
    const callers = [adsSync({ sha256: SHA256, expiresAtMs: EXPIRY }, { sha256: hashCallerToken(NEXT) })]
    expect(authenticate([`Bearer ${TOKEN}`], { callers }).name).toBe('ads-sync')
    expect(authenticate([`Bearer ${NEXT}`], { callers }).name).toBe('ads-sync')
    expect(refusal([`Bearer ${TOKEN}`], { callers, now: EXPIRY }).message).toContain('expired')
    expect(authenticate([`Bearer ${NEXT}`], { callers, now: EXPIRY }).name).toBe('ads-sync')
  })

  it('knows the operator, who may do everything', () => {
    expect(authenticate([`Bearer ${OPERATOR_TOKEN}`])).toMatchObject({
      name: 'operator',
      authentication: 'operator_token',
      allow: [{ providers: ['*'], accounts: ['*'], methods: ['*'] }],
    })
  })

  it('does not know the operator whose token is switched off', () => {
    const { message } = refusal([`Bearer ${OPERATOR_TOKEN}`], { operatorTokenHash: undefined })
    expect(message).toContain('no caller with this token')
  })

  it.each([
    ['a millisecond before', EXPIRY - 1, true],
    ['at', EXPIRY, false],
    ['a millisecond after', EXPIRY + 1, false],
  ])('%s the expiry', (_, now, valid) => {
    if (valid) expect(authenticate([`Bearer ${TOKEN}`], { now }).name).toBe('ads-sync')
    else
      expect(refusal([`Bearer ${TOKEN}`], { now }).message).toContain(
        'ads-sync expired at 2027-01-31T00:00:00.000Z',
      )
  })

  it('without an expiry never expires', () => {
    const callers = [adsSync({ sha256: SHA256 })]
    expect(authenticate([`Bearer ${TOKEN}`], { now: Number.MAX_SAFE_INTEGER, callers }).name).toBe('ads-sync')
  })
})

describe('authenticate() with a client certificate', () => {
  const peer: PeerIdentity = { ok: true, identity: 'spiffe://example.org/billing', expiresAtMs: EXPIRY }

  it('knows a caller by it', () => {
    expect(authenticate([], { peer })).toMatchObject({
      name: 'billing',
      authentication: 'mtls',
      allow: ALLOW,
    })
  })

  it('refuses one that names nobody, a stranger, or a caller of another kind', () => {
    expect(refusal([], { peer: { ok: false, why: 'it has several URIs' } }).message).toContain(
      'it has several URIs',
    )
    const stranger = { ...peer, identity: 'spiffe://example.org/reports' }
    expect(refusal([], { peer: stranger }).message).toContain(
      'no caller is configured as spiffe://example.org/reports',
    )
    expect(refusal([], { peer: { ...peer, identity: 'dns:ads-sync' } }).reason).toBe('CALLER_UNAUTHENTICATED')
  })

  it.each([
    [EXPIRY - 1, true],
    [EXPIRY, false],
  ])('at %d of its end', (now, valid) => {
    if (valid) expect(authenticate([], { peer, now }).name).toBe('billing')
    else expect(refusal([], { peer, now }).message).toContain('has expired')
  })

  it('is judged by the token alone if there is one', () => {
    expect(authenticate([`Bearer ${TOKEN}`], { peer }).name).toBe('ads-sync')
    expect(refusal([`Bearer ${UNKNOWN}`], { peer }).message).toContain('no caller with this token')
    expect(refusal([''], { peer }).message).toContain('not of the form')
  })
})

describe('replace()', () => {
  it('counts for proofs that were there before', () => {
    const callers = createCallers({ callers: [ADS_SYNC], clock: { now: () => 0 } })
    const proof = callers.authenticate({ authorization: [`Bearer ${TOKEN}`], peer: () => undefined })
    if (proof instanceof Promise) throw new Error('it takes time')
    expect(callers.identify(proof).allow).toEqual(ALLOW)
    callers.replace([{ ...ADS_SYNC, allow: [] }])
    expect(callers.identify(proof).allow).toEqual([])
    callers.replace([])
    expect(() => callers.identify(proof)).toThrow('no caller with this token')
  })
})
