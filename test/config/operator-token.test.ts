import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCallerToken, parseCallerToken } from '../../src/config/caller-token.ts'
import { readOrCreateOperatorToken, readTokenFile } from '../../src/config/operator-token.ts'
import { tempFolder } from '../temp-folder.ts'

describe('readOrCreateOperatorToken()', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-operator-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const path = () => join(folder, 'operator.token')
  const permissions = (of: string) => (statSync(of).mode & 0o777).toString(8)
  const read = () => readOrCreateOperatorToken(folder, randomBytes)
  const given = (content: string, mode = 0o600) => writeFileSync(path(), content, { mode })

  it('makes a token in a file of its own and leaves nothing else behind', async () => {
    const token = (await read()).expose()
    expect(parseCallerToken(token).ok).toBe(true)
    expect(readFileSync(path(), 'utf8')).toBe(`${token}\n`)
    expect(permissions(path())).toBe('600')
    expect(readdirSync(folder)).toEqual(['operator.token'])
  })

  it('makes the data directory, for its owner alone', async () => {
    const below = join(folder, 'a', 'data')
    await readOrCreateOperatorToken(below, randomBytes)
    expect(permissions(below)).toBe('700')
  })

  it('answers the same token from then on', async () => {
    const first = (await read()).expose()
    expect((await read()).expose()).toBe(first)
  })

  it('answers one token to many that start at once', async () => {
    const tokens = await Promise.all(Array.from({ length: 8 }, read))
    expect(new Set(tokens.map(token => token.expose())).size).toBe(1)
    expect(readdirSync(folder)).toEqual(['operator.token'])
  })

  it.each([
    ['without line break', ''],
    ['with one of Windows', '\r\n'],
  ])('reads a token %s', async (_, end) => {
    const token = createCallerToken(randomBytes).token.expose()
    given(token + end)
    expect((await read()).expose()).toBe(token)
  })

  it.each([[0o640], [0o604], [0o620], [0o644]])('refuses a file of mode %o', async mode => {
    given(`${createCallerToken(randomBytes).token.expose()}\n`)
    chmodSync(path(), mode)
    await expect(read()).rejects.toThrow(
      `${path()}  holds a token and may be read by others; run chmod 600 ${path()}`,
    )
  })

  it.each([
    ['empty', ''],
    ['cut off', createCallerToken(randomBytes).token.expose().slice(0, 40)],
    ['followed by more', `${createCallerToken(randomBytes).token.expose()}\nmore\n`],
  ])('refuses a file that is %s, without showing it, and does not replace it', async (_, content) => {
    given(content)
    await expect(read()).rejects.toThrow(
      `${path()}  holds no token, or a damaged one; if the broker made it, delete it, and its next start makes a new one`,
    )
    expect(readFileSync(path(), 'utf8')).toBe(content)
  })

  it('refuses what is no file', async () => {
    mkdirSync(path(), { mode: 0o700 })
    await expect(read()).rejects.toThrow(`${path()}  is not a file`)
  })

  it('refuses a data directory that cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '')
    const below = join(folder, 'file', 'data')
    await expect(readOrCreateOperatorToken(below, randomBytes)).rejects.toThrow(
      /operator\.token {2}cannot be read \(ENOTDIR\)/,
    )
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'))
    await expect(readOrCreateOperatorToken(join(folder, 'dangling'), randomBytes)).rejects.toThrow(
      /operator\.token {2}cannot be written \((EEXIST|ENOENT)\)/,
    )
  })
})

describe('readTokenFile()', () => {
  const path = join(tempFolder('token-file'), 'token')
  const given = (content: string, mode = 0o600) => {
    rmSync(path, { force: true })
    writeFileSync(path, content, { mode })
  }
  const JWT = `eyJhbGciOiJFUzI1NiJ9.${'a'.repeat(2_000)}.c2lnbmF0dXJl`

  it.each([
    ['a JWT', JWT],
    ['a token of a caller', createCallerToken(randomBytes).token.expose()],
  ])('reads %s', async (_, token) => {
    given(`${token}\n`)
    expect((await readTokenFile(path)).expose()).toBe(token)
  })

  it.each([
    ['a part of one', JWT.slice(0, 100)],
    ['two', `${JWT}\n${JWT}`],
    ['one that the broker would not take', `eyJ.${'a'.repeat(16_400)}.b`],
    ['something else', 'ghp_not.a.token'],
  ])('refuses %s, without showing it', async (_, content) => {
    given(content)
    await expect(readTokenFile(path)).rejects.toThrow(/holds no token, or a damaged one; [^J]*$/)
  })

  it('refuses a JWT that others can read', async () => {
    given(JWT)
    chmodSync(path, 0o644)
    await expect(readTokenFile(path)).rejects.toThrow('may be read by others')
  })

  it('is not how the broker reads its own', async () => {
    given(JWT)
    renameSync(path, join(path, '..', 'operator.token'))
    await expect(readOrCreateOperatorToken(join(path, '..'), randomBytes)).rejects.toThrow('holds no token')
  })
})
