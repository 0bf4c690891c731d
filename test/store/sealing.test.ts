import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { type SealContext, UnreadableError } from '../../src/store/keyring.ts'
import { openValue, overheadBytes, sealValue, splitSealed } from '../../src/store/sealing.ts'

const seed = { kid: '0123456789abcdef', bytes: randomBytes(32) }
const context: SealContext = {
  table: 'connections',
  column: 'sealed_refresh_token',
  id: 'c1',
  grantEpoch: 3,
  origin: 'https://api.pinterest.example',
}
const secret = 'pina_refresh_token_0123456789'

function seal(text = secret, place = context): Buffer {
  return sealValue(seed, new Secret(text), place, randomBytes)
}

function open(sealed: Uint8Array, place = context): string {
  return openValue(seed, splitSealed(sealed), place).expose()
}

/** Why it does not open; fails if it does. */
function refusal(sealed: Uint8Array, place = context): UnreadableError['reason'] {
  try {
    open(sealed, place)
  } catch (error) {
    if (error instanceof UnreadableError) return error.reason
    throw error
  }
  throw new Error('a changed value was opened')
}

/** Where the parts of a sealed value begin. */
const offsets = {
  magic: 0,
  version: 2,
  suite: 3,
  kid: 4,
  salt: 12,
  commitment: 44,
  nonce: 76,
  ciphertext: 88,
}

describe('sealValue()', () => {
  it('adds 104 bytes, the layout that is written down', () => {
    const sealed = seal()
    expect(overheadBytes).toBe(104)
    expect(sealed).toHaveLength(104 + secret.length)
    expect(sealed.subarray(0, 12).toString('hex')).toBe(`54420101${seed.kid}`)
  })

  it('can be opened with another implementation, by the layout alone', async () => {
    const sealed = seal()
    const part = (from: number, to?: number) => Uint8Array.from(sealed.subarray(from, to))
    const info = Buffer.concat([Buffer.from('tb/v1/rec'), part(12, 44)])
    const hkdf = { name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(), info }
    const seedKey = await crypto.subtle.importKey('raw', Uint8Array.from(seed.bytes), 'HKDF', false, [
      'deriveBits',
    ])
    const derived = new Uint8Array(await crypto.subtle.deriveBits(hkdf, seedKey, 512))
    expect(part(44, 76)).toEqual(derived.slice(32))
    const members = [
      'tb/v1/aes-256-gcm',
      'connections',
      'sealed_refresh_token',
      'c1',
      '3',
      'https://api.pinterest.example',
    ]
    const additionalData = Buffer.from(
      members.map(member => `\0\0\0${String.fromCharCode(member.length)}${member}`).join(''),
    )
    const key = await crypto.subtle.importKey('raw', derived.slice(0, 32), 'AES-GCM', false, ['decrypt'])
    const gcm = { name: 'AES-GCM', iv: part(76, 88), additionalData, tagLength: 128 }
    expect(Buffer.from(await crypto.subtle.decrypt(gcm, key, part(88))).toString()).toBe(secret)
  })

  it('never seals alike, and never shows the secret', () => {
    const [one, two] = [seal(), seal()]
    expect(one.subarray(offsets.salt)).not.toEqual(two.subarray(offsets.salt))
    expect(one.includes(secret.slice(0, 8))).toBe(false)
  })
})

describe('openValue()', () => {
  it.each([
    ['nothing', ''],
    ['one character', 'x'],
    ['text beyond ASCII', 'Grüße 😀 \u0000 \uffff'],
    ['64 KiB', 'a'.repeat(65_536)],
  ])('opens %s', (_, text) => {
    expect(open(seal(text))).toBe(text)
  })

  it('opens a view into a larger buffer', () => {
    const sealed = seal()
    const larger = new Uint8Array(sealed.length + 20)
    larger.set(sealed, 10)
    expect(open(larger.subarray(10, 10 + sealed.length))).toBe(secret)
  })

  it('refuses every flipped bit', () => {
    const sealed = seal()
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      if (bit >> 3 >= offsets.kid && bit >> 3 < offsets.salt)
        expect(splitSealed(changed).kid).not.toBe(seed.kid)
      else refusal(changed)
    }
  })

  it('refuses every truncation, at either end, and every extension', () => {
    const sealed = seal()
    for (let length = 0; length < sealed.length; length++) {
      refusal(sealed.subarray(0, length))
      if (length > 0) refusal(sealed.subarray(length))
    }
    for (const extra of [Buffer.from([0]), randomBytes(16), sealed]) refusal(Buffer.concat([sealed, extra]))
  })

  it.each(Array.from({ length: 16 }, (_, length) => length))('refuses a tag of %i bytes', length => {
    const sealed = seal('')
    expect(refusal(sealed.subarray(0, sealed.length - 16 + length))).toBe('malformed')
  })

  it('refuses random changes of bytes, several at once', () => {
    const sealed = seal()
    const change = fc.record({
      at: fc.integer({ min: offsets.salt, max: sealed.length - 1 }),
      to: fc.integer({ min: 0, max: 255 }),
    })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), changes => {
        const changed = Buffer.from(sealed)
        for (const { at, to } of changes) changed[at] = to
        fc.pre(!changed.equals(sealed))
        refusal(changed)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses parts that are swapped between two values', () => {
    const parts = Object.values(offsets)
    fc.assert(
      fc.property(fc.subarray(parts, { minLength: 1, maxLength: parts.length - 1 }), swapped => {
        const [mine, theirs] = [seal('the one value'), seal('another value')]
        const mixed = Buffer.from(mine)
        for (const start of swapped) {
          const end = parts.find(offset => offset > start) ?? mine.length
          theirs.copy(mixed, start, start, end)
        }
        fc.pre(!mixed.equals(mine) && !mixed.equals(theirs))
        refusal(mixed)
      }),
      { numRuns: 1_000 },
    )
  })

  it('refuses every other place', () => {
    const anyContext = fc.record({
      table: fc.constantFrom<SealContext['table'][]>('connections', 'revocations', 'consents'),
      column: fc.oneof(fc.constant(context.column), fc.string({ unit: 'binary' })),
      id: fc.oneof(fc.constant(context.id), fc.string({ unit: 'binary' })),
      grantEpoch: fc.oneof(fc.constant(context.grantEpoch), fc.nat()),
      origin: fc.oneof(fc.constant(context.origin), fc.string({ unit: 'binary' })),
    })
    const sealed = seal()
    fc.assert(
      fc.property(anyContext, place => {
        fc.pre(JSON.stringify(place) !== JSON.stringify(context))
        expect(refusal(sealed, place)).toBe('tampered')
      }),
      { numRuns: 2_000 },
    )
  })

  it.each<[string, Partial<SealContext>]>([
    ['table', { table: 'revocations' }],
    ['column', { column: 'sealed_access_token' }],
    ['id', { id: 'c2' }],
    ['grant epoch', { grantEpoch: 4 }],
    ['origin', { origin: 'https://api.pinterest.example.evil' }],
    ['border between two members', { column: 'sealed_refresh_tokenc', id: '1' }],
  ])('refuses another %s as tampered', (_, other) => {
    expect(refusal(seal(), { ...context, ...other })).toBe('tampered')
  })

  it('tells a wrong key from a changed value', () => {
    const other = { kid: seed.kid, bytes: randomBytes(32) }
    const sealed = sealValue(other, new Secret(secret), context, randomBytes)
    expect(refusal(sealed)).toBe('wrong_key')
    const changed = seal()
    changed.writeUInt8(changed.readUInt8(offsets.ciphertext) ^ 1, offsets.ciphertext)
    expect(refusal(changed)).toBe('tampered')
  })

  it('says where the damage is, and nothing of the value', () => {
    const changed = seal()
    changed.writeUInt8(changed.readUInt8(offsets.ciphertext) ^ 1, offsets.ciphertext)
    expect(() => open(changed)).toThrow(/^connections\.sealed_refresh_token of c1 /)
  })
})

function blob(header: string, zeros: number): Buffer {
  return Buffer.concat([Buffer.from(header, 'hex'), Buffer.alloc(zeros)])
}

describe('splitSealed()', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte too few', blob('54420101', 99)],
    ['other magic bytes', blob('54430101', 100)],
    ['another version', blob('54420201', 100)],
    ['another suite', blob('54420102', 100)],
  ])('refuses %s as malformed', (_, value) => {
    expect(() => splitSealed(value)).toThrow(expect.objectContaining({ reason: 'malformed' }))
  })
})
