import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { parseRootKey, RootKey } from '../../src/store/root-key.ts'

function parse(text: string): RootKey {
  return parseRootKey(new Secret(text), 'TEST_KEY')
}

const key = randomBytes(32)

describe('parseRootKey()', () => {
  it.each([
    ['base64', key.toString('base64')],
    ['hex', key.toString('hex')],
    ['upper-case hex', key.toString('hex').toUpperCase()],
    ['a newline at the end', `${key.toString('base64')}\n`],
    ["another system's newline", `${key.toString('hex')}\r\n`],
  ])('takes %s', (_, text) => {
    expect(parse(text).fingerprint).toBe(new RootKey(key).fingerprint)
  })

  it.each([
    ['nothing', ''],
    ['a passphrase', 'correct horse battery staple'],
    ['31 bytes', randomBytes(31).toString('base64')],
    ['33 bytes', randomBytes(33).toString('base64')],
    ['16 bytes', randomBytes(16).toString('hex')],
    ['base64 without padding', key.toString('base64').slice(0, -1)],
    ['two lines', `${key.toString('hex')}\n\n`],
    ['a space in front', ` ${key.toString('hex')}`],
    ['raw bytes', randomBytes(32).toString('latin1')],
    ['hex with another letter', `${'g'}${key.toString('hex').slice(1)}`],
    [
      'base64 with other letters inside',
      `${key.toString('base64').slice(0, 20)}***${key.toString('base64').slice(20)}`,
    ],
  ])('refuses %s as malformed', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ name: 'RootKeyError', reason: 'malformed' }))
  })

  it.each([
    ['zeros', Buffer.alloc(32)],
    ['one byte repeated', Buffer.alloc(32, 0x5a)],
    ['a short pattern', Buffer.from('deadbeef'.repeat(8), 'hex')],
    ['a count', Buffer.from(Array.from({ length: 32 }, (_, index) => index))],
    [
      'a count by threes around zero',
      Buffer.from(Array.from({ length: 32 }, (_, index) => (200 + 3 * index) & 255)),
    ],
    ['a passphrase', Buffer.from('Correct Horse Battery Staple 123')],
  ])('refuses %s as weak', (_, bytes) => {
    expect(() => parse(bytes.toString('base64'))).toThrow(expect.objectContaining({ reason: 'weak' }))
  })

  it('takes every random key', () => {
    for (let run = 0; run < 2_000; run++) parse(randomBytes(32).toString('hex'))
  })

  it('says where the key came from and how to make one, and nothing of the key', () => {
    const text = 'almost-a-root-key-that-must-not-be-shown'
    expect(() => parse(text)).toThrow(/TEST_KEY.*openssl rand -base64 32/)
    expect(() => parse(text)).not.toThrow(text)
  })
})

describe('RootKey', () => {
  it('cannot be printed', () => {
    const root = new RootKey(key)
    const printed = `${inspect(root, { showHidden: true, depth: 9 })} ${JSON.stringify(root)}`
    for (const encoding of ['hex', 'base64', 'latin1'] as const) {
      expect(printed).not.toContain(key.toString(encoding).slice(0, 12))
    }
    expect(printed).toContain(root.fingerprint)
  })

  it('derives another key for each purpose, and none of them is its fingerprint', () => {
    const root = new RootKey(key)
    expect(root.fingerprint).toMatch(/^[0-9a-f]{16}$/)
    expect(root.derive('a', 32)).toHaveLength(32)
    expect(root.derive('a', 32)).toEqual(new RootKey(Buffer.from(key)).derive('a', 32))
    expect(root.derive('a', 32)).not.toEqual(root.derive('b', 32))
  })
})
