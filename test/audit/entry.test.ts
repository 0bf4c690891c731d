import { describe, expect, it } from 'vitest'
import { entryOf, escapeText } from '../../src/audit/entry.ts'

describe('entryOf()', () => {
  it('has an empty text for everything that is unknown', () => {
    expect(entryOf({ event: 'BROKER_STARTED' }, 5)).toEqual({
      time: 5,
      event: 'BROKER_STARTED',
      outcome: 'SUCCEEDED',
      reason: '',
      caller: '',
      authentication: '',
      provider: '',
      account: '',
      connectionId: '',
      version: '',
      requestId: '',
      peer: '',
      keyId: '',
      fingerprint: '',
      count: 1,
      details: {},
    })
  })

  it.each([
    [0, 0],
    [-3, 0],
    [2.5, 2],
  ])('makes a count of %d one that every store takes', (count, expected) => {
    expect(entryOf({ event: 'STORE_RESTORED', count }, 0).count).toBe(expected)
  })

  it('takes the peer of a browser before that of the caller', () => {
    const caller = { name: 'a', authentication: 'jwt', origin: { requestId: 'r', peer: 'service' } }
    expect(entryOf({ event: 'CONSENT_COMPLETED', caller, peer: 'browser' }, 0).peer).toBe('browser')
    expect(entryOf({ event: 'CONSENT_COMPLETED', caller }, 0)).toMatchObject({
      peer: 'service',
      requestId: 'r',
    })
  })

  it('escapes and clips what others have written', () => {
    const { details, reason } = entryOf(
      {
        event: 'CONSENT_FAILED',
        reason: 'A\nB',
        details: {
          subject: '\u001b[2J\u202eevil\ud800',
          scopes: ['a', 'b'],
          empty: '',
          long: 'x'.repeat(10_000),
        },
      },
      0,
    )
    expect(reason).toBe('A\\u{a}B')
    expect(details).toMatchObject({ subject: '\\u{1b}[2J\\u{202e}evil\\u{d800}', scopes: 'a b' })
    expect(details).not.toHaveProperty('empty')
    expect(details.long).toHaveLength(512)
  })

  it('keeps an account as it can be asked for, and nothing that no account can have', () => {
    expect(entryOf({ event: 'CALL_DENIED', account: 'caf\u00e9 \u{1f468}\u200d\u{1f469}' }, 0).account).toBe(
      'caf\u00e9 \u{1f468}\u200d\u{1f469}',
    )
    expect(entryOf({ event: 'CALL_DENIED', account: 'a\nb' }, 0).account).toBe('a\ufffdb')
  })
})

describe('escapeText()', () => {
  it('lets nothing look like an escape that is none', () => {
    expect(escapeText('\\u{a}')).toBe('\\\\u{a}')
  })
})
