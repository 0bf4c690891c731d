import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CALLER_TOKEN_LENGTH,
  createCallerToken,
  hashCallerToken,
  parseCallerToken,
} from '../../src/config/caller-token.ts'

const zeros = (size: number) => new Uint8Array(size)
const ones = (size: number) => new Uint8Array(size).fill(0xff)

describe('createCallerToken()', () => {
  it('makes a prefix, an id, 43 digits and a checksum, whatever the bytes are', () => {
    expect(createCallerToken(zeros).token.expose()).toMatch(/^tb_0{8}_0{43}_[0-9a-f]{8}$/)
    expect(createCallerToken(ones).token.expose()).toMatch(/^tb_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9a-f]{8}$/)
  })

  it('keeps all 256 bits: bytes that differ in one bit make different secrets', () => {
    const secrets = new Set<string | undefined>()
    for (let bit = 0; bit < 256; bit++) {
      const bytes = (size: number) => {
        const flipped = new Uint8Array(size)
        if (size === 32) flipped[bit >> 3] = 1 << (bit & 7)
        return flipped
      }
      secrets.add(createCallerToken(bytes).token.expose().split('_')[2])
    }
    expect(secrets.size).toBe(256)
  })

  it('answers the id that the token says, and its hash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 38, maxLength: 38 }), bytes => {
        const { id, token, sha256 } = createCallerToken(size =>
          size === 32 ? bytes.slice(6) : bytes.slice(0, 6),
        )
        expect(token.expose()).toHaveLength(CALLER_TOKEN_LENGTH)
        expect(parseCallerToken(token.expose())).toEqual({ ok: true, id })
        expect(sha256).toBe(createHash('sha256').update(token.expose()).digest('hex'))
      }),
    )
  })

  it('does not show the token when it is printed', () => {
    const made = createCallerToken(randomBytes)
    expect(JSON.stringify(made)).not.toContain(made.token.expose())
  })
})

describe('parseCallerToken()', () => {
  const token = createCallerToken(randomBytes).token.expose()

  it('finds every single wrong character', () => {
    for (let index = 3; index < token.length; index++) {
      const other = token[index] === '7' ? '8' : '7'
      expect(parseCallerToken(token.slice(0, index) + other + token.slice(index + 1)).ok).toBe(false)
    }
  })

  it('says that a swapped pair is a wrong checksum', () => {
    const known = createCallerToken(size =>
      Uint8Array.from({ length: size }, (_, index) => index * 37),
    ).token.expose()
    const swapped = known.slice(0, 20) + known[21] + known[20] + known.slice(22)
    expect(swapped).not.toBe(known)
    expect(parseCallerToken(swapped)).toEqual({ ok: false, reason: 'checksum' })
  })

  it.each([
    ['nothing', ''],
    ['another prefix', token.replace('tb_', 'gh_')],
    ['one character less', token.slice(0, -1)],
    ['one character more', `${token}0`],
    ['a line break behind', `${token}\n`],
    ['a space before', ` ${token}`],
    ['a checksum in upper case', `${token.slice(0, -8)}ABCDEF00`],
    ['something else', 'eyJhbGciOiJIUzI1NiJ9.e30.x'],
  ])('refuses %s by its shape', (_, text) => {
    expect(parseCallerToken(text)).toEqual({ ok: false, reason: 'shape' })
  })
})

describe('hashCallerToken()', () => {
  it('is the SHA-256 of the text in lower-case hex', () => {
    expect(hashCallerToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})
