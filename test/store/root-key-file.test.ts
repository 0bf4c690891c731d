import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { createRootKeyFile, loadRootKey, readRootKeyFile } from '../../src/store/root-key-file.ts'
import { tempDir } from './temp-dir.ts'

/** A path of a key file that does not exist. */
function newPath(): string {
  return join(tempDir(), 'root.key')
}

function writeKey(text: string, mode = 0o600): string {
  const path = newPath()
  writeFileSync(path, text, { mode })
  chmodSync(path, mode)
  return path
}

describe('createRootKeyFile()', () => {
  it('writes a random key that reads back, for the owner alone', () => {
    const before = process.umask(0)
    onTestFinished(() => {
      process.umask(before)
    })
    const path = newPath()
    const created = createRootKeyFile(path)
    expect(readRootKeyFile(path)?.fingerprint).toBe(created.fingerprint)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'latin1')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(createRootKeyFile(newPath()).fingerprint).not.toBe(created.fingerprint)
  })

  it('never overwrites a file', () => {
    const path = writeKey('precious')
    expect(() => createRootKeyFile(path)).toThrow(expect.objectContaining({ reason: 'unreadable' }))
    expect(readFileSync(path, 'latin1')).toBe('precious')
  })

  it('says so if the directory is missing', () => {
    const path = join(tempDir(), 'nowhere', 'root.key')
    expect(() => createRootKeyFile(path)).toThrow(expect.objectContaining({ reason: 'unreadable' }))
  })
})

describe('readRootKeyFile()', () => {
  const text = `${randomBytes(32).toString('base64')}\n`

  it('of a missing file gives nothing', () => {
    expect(readRootKeyFile(newPath())).toBeUndefined()
  })

  it.each([0o600, 0o400])('reads a file of mode %o', mode => {
    expect(readRootKeyFile(writeKey(text, mode))).toBeDefined()
  })

  it.each([0o640, 0o604, 0o660, 0o602, 0o644])('refuses a file of mode %o', mode => {
    const path = writeKey(text, mode)
    expect(() => readRootKeyFile(path)).toThrow(expect.objectContaining({ reason: 'exposed' }))
    expect(() => readRootKeyFile(path)).toThrow(`chmod 600 ${path}`)
  })

  it.each([
    ['an empty file', ''],
    ['a short key', randomBytes(16).toString('base64')],
    ['a large file', text.repeat(100)],
  ])('refuses %s', (_, content) => {
    expect(() => readRootKeyFile(writeKey(content))).toThrow(expect.objectContaining({ reason: 'malformed' }))
  })

  it('refuses a directory', () => {
    const path = newPath()
    mkdirSync(path, { mode: 0o700 })
    expect(() => readRootKeyFile(path)).toThrow(expect.objectContaining({ reason: 'unreadable' }))
  })
})

describe('loadRootKey()', () => {
  const source = (path: string, createIfMissing = true) => ({ kind: 'file', path, createIfMissing }) as const

  it('makes a key for a new store, once', () => {
    const path = newPath()
    const made = loadRootKey({ source: source(path), storeHasKeys: false })
    expect(loadRootKey({ source: source(path), storeHasKeys: true }).fingerprint).toBe(made.fingerprint)
  })

  it('never makes a key for a store that has keys', () => {
    const path = newPath()
    const load = () => loadRootKey({ source: source(path), storeHasKeys: true })
    expect(load).toThrow(expect.objectContaining({ name: 'RootKeyError', reason: 'missing' }))
    expect(load).toThrow('restore it')
    expect(existsSync(path)).toBe(false)
  })

  it('makes no key where the operator has named the file', () => {
    const path = newPath()
    const load = () => loadRootKey({ source: source(path, false), storeHasKeys: false })
    expect(load).toThrow(expect.objectContaining({ reason: 'missing' }))
    expect(existsSync(path)).toBe(false)
  })

  it('takes a value, and names its origin if it is none', () => {
    const value = (text: string) =>
      loadRootKey({
        source: { kind: 'value', value: new Secret(text), origin: 'ROOT_KEY' },
        storeHasKeys: true,
      })
    expect(value(randomBytes(32).toString('hex')).fingerprint).toHaveLength(16)
    expect(() => value('nothing')).toThrow('ROOT_KEY')
  })
})
