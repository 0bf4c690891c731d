import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { lockDataDir } from '../../src/store/data-lock.ts'
import { openSealedStore, type SealedStore } from '../../src/store/open-store.ts'
import { databasePath } from '../../src/store/sqlite.ts'
import { connect, t0 } from './samples.ts'
import { sampleSpooled } from './spool-samples.ts'
import { tempDir } from './temp-dir.ts'

function open(dataDir: string, value?: string): Promise<SealedStore> {
  const rootKey =
    value === undefined
      ? ({ kind: 'file', path: join(dataDir, 'root.key'), createIfMissing: true } as const)
      : ({ kind: 'value', value: new Secret(value), origin: 'ROOT_KEY' } as const)
  return openSealedStore({ dataDir, rootKey, now: t0 })
}

/** A closed data directory with one connection. */
async function filledDir(): Promise<string> {
  const dataDir = tempDir()
  const opened = await open(dataDir)
  await connect(opened.store)
  await opened.close()
  return dataDir
}

function contents(dataDir: string): [name: string, sha256: string][] {
  const sha256 = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(dataDir, name)))
      .digest('hex')
  const names = readdirSync(dataDir).filter(name => ['broker.db', 'root.key', 'spool'].includes(name))
  return names.sort().map(name => [name, sha256(name)])
}

describe('openSealedStore()', () => {
  it('sets up a new directory, and opens it again', async () => {
    const dataDir = join(tempDir(), 'data')
    const context = {
      table: 'connections',
      column: 'c',
      id: '1',
      grantEpoch: 1,
      origin: 'https://a.example',
    } as const
    const first = await open(dataDir)
    const sealed = first.keyring.seal(new Secret('token'), context)
    await first.close()
    const second = await open(dataDir)
    expect(second.keyring.open(sealed, context).expose()).toBe('token')
    await second.close()
    expect(readdirSync(dataDir).sort()).toEqual(['broker.db', 'commit.mark', 'lock.db', 'root.key', 'spool'])
  })

  it('with a wrong root key changes no byte, and leaves the directory free', async () => {
    const dataDir = await filledDir()
    const before = contents(dataDir)
    const refused = open(dataDir, randomBytes(32).toString('hex'))
    await expect(refused).rejects.toMatchObject({ name: 'RootKeyError', reason: 'wrong' })
    expect(contents(dataDir)).toEqual(before)
    await (await open(dataDir)).close()
  })

  it('with a missing root key changes no byte, and makes no key', async () => {
    const dataDir = await filledDir()
    renameSync(join(dataDir, 'root.key'), join(dataDir, 'root.key.away'))
    const before = contents(dataDir)
    await expect(open(dataDir)).rejects.toMatchObject({ name: 'RootKeyError', reason: 'missing' })
    expect(contents(dataDir)).toEqual(before)
  })

  it('finds again what was spooled', async () => {
    const dataDir = tempDir()
    const first = await open(dataDir)
    await first.spool.append(sampleSpooled())
    await first.close()
    await expect(first.spool.list()).rejects.toMatchObject({ name: 'SpoolError', reason: 'unavailable' })
    const second = await open(dataDir)
    expect(await second.spool.list()).toEqual({ commits: [sampleSpooled()], damaged: 0 })
    await second.close()
  })

  it('without a spool leaves the directory free', async () => {
    const dataDir = await filledDir()
    rmSync(join(dataDir, 'spool'))
    mkdirSync(join(dataDir, 'spool'))
    await expect(open(dataDir)).rejects.toMatchObject({ name: 'StoreError', reason: 'unavailable' })
    rmdirSync(join(dataDir, 'spool'))
    await (await open(dataDir)).close()
  })

  it('with a malformed root key creates no database', async () => {
    const dataDir = tempDir()
    await expect(open(dataDir, 'nonsense')).rejects.toMatchObject({ reason: 'malformed' })
    expect(existsSync(databasePath(dataDir))).toBe(false)
    expect(existsSync(join(dataDir, 'spool'))).toBe(false)
  })

  it('holds the lock until it is closed', async () => {
    const dataDir = tempDir()
    const opened = await open(dataDir)
    await expect(open(dataDir)).rejects.toMatchObject({ name: 'DataLockedError' })
    await opened.close()
    lockDataDir(dataDir).release()
  })
})
