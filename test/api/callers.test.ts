import { describe, expect, it } from 'vitest'
import { createCallers } from '../../src/api/callers.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { createCallerToken, hashCallerToken } from '../../src/config/caller-token.ts'
import type { CallerConfig } from '../../src/config/config.ts'

const EXPIRY = Date.UTC(2027, 0, 31)
const tokenOf = (byte: number) => createCallerToken(size => Buffer.alloc(size, byte)).token.expose()
const [OPERATOR_TOKEN, TOKEN, UNKNOWN] = [tokenOf(1), tokenOf(2), tokenOf(3)]
const MISTYPED = TOKEN.replace(/.$/, last => (last === '0' ? '1' : '0'))
const ADS_SYNC: CallerConfig = {
  name: 'ads-sync',
  tokenSha256: hashCallerToken(TOKEN),
  expiresAtMs: EXPIRY,
  allow: [{ providers: ['pinterest'], accounts: ['*'], methods: ['GetAccessToken'] }],
}

function authenticate(authorization: readonly unknown[], now = EXPIRY - 1, callers = [ADS_SYNC]) {
  return createCallers({
    operatorTokenHash: hashCallerToken(OPERATOR_TOKEN),
    callers,
    clock: { now: () => now },
  }).authenticate(authorization)
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
    ['the hash instead of the token', [`Bearer ${ADS_SYNC.tokenSha256}`], 'no token of a caller'],
  ])('refuses %s', (_, authorization, why) => {
    const { reason, message } = refusal(authorization)
    expect(reason).toBe('CALLER_UNAUTHENTICATED')
    expect(message).toContain(why)
    expect(message).toContain('authorization: Bearer <token>')
    for (const sent of authorization)
      if (String(sent).length > 8) expect(message).not.toContain(String(sent).slice(7))
  })

  it('refuses a token whose hash only begins like a known one', () => {
    const sameBeginning = `${hashCallerToken(TOKEN).slice(0, 8)}${'0'.repeat(56)}`
    expect(refusal([`Bearer ${TOKEN}`], 0, [{ ...ADS_SYNC, tokenSha256: sameBeginning }]).message).toContain(
      'no caller with this token',
    )
  })

  it('knows a caller by its token', () => {
    const { name, allow } = ADS_SYNC
    const caller = { name, authentication: 'static_token', allow }
    expect(authenticate([`Bearer ${TOKEN}`])).toEqual(caller)
    expect(authenticate([`bearer  ${TOKEN}`])).toEqual(caller)
  })

  it('knows the operator, who may do everything', () => {
    expect(authenticate([`Bearer ${OPERATOR_TOKEN}`])).toEqual({
      name: 'operator',
      authentication: 'operator_token',
      allow: [{ providers: ['*'], accounts: ['*'], methods: ['*'] }],
    })
  })

  it.each([
    ['a millisecond before', EXPIRY - 1, true],
    ['at', EXPIRY, false],
    ['a millisecond after', EXPIRY + 1, false],
  ])('%s the expiry', (_, now, valid) => {
    if (valid) expect(authenticate([`Bearer ${TOKEN}`], now).name).toBe('ads-sync')
    else
      expect(refusal([`Bearer ${TOKEN}`], now).message).toContain(
        'ads-sync expired at 2027-01-31T00:00:00.000Z',
      )
  })

  it('without an expiry never expires', () => {
    const forever = { ...ADS_SYNC, expiresAtMs: undefined }
    expect(authenticate([`Bearer ${TOKEN}`], Number.MAX_SAFE_INTEGER, [forever]).name).toBe('ads-sync')
  })
})
