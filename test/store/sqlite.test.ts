import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { schemaVersion } from '../../src/store/migrations.ts'
import { databasePath, inMemory, inspectSqliteStore, openSqliteStore } from '../../src/store/sqlite.ts'
import { storeContract } from './contract.ts'
import { bytes, connect, sampleConsent, sampleStart } from './samples.ts'
import { tempDir } from './temp-dir.ts'

storeContract('SQLite in a file', () => openSqliteStore({ path: databasePath(tempDir()) }))
storeContract('SQLite in memory', () => openSqliteStore({ path: inMemory }))

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** The file of a closed store with one connection. */
async function storedFile(): Promise<string> {
  const path = databasePath(tempDir())
  const store = await openSqliteStore({ path })
  await connect(store)
  await store.close()
  return path
}

function edit(path: string, sql: string): void {
  const database = new Database(path)
  database.exec(sql)
  database.close()
}

describe('openSqliteStore()', () => {
  it('finds again what was stored', async () => {
    const path = await storedFile()
    const store = await openSqliteStore({ path })
    onTestFinished(() => store.close())
    expect(await store.findConnection('pinterest', 'alice')).toMatchObject({ id: 'c1', version: 'v1' })
    expect(store.schemaVersion).toBe(schemaVersion)
    expect(store.sqliteVersion).toMatch(/^3\./)
  })

  it('creates files for the owner alone, whatever the umask', async () => {
    const before = process.umask(0)
    onTestFinished(() => {
      process.umask(before)
    })
    const path = databasePath(tempDir())
    const store = await openSqliteStore({ path })
    onTestFinished(() => store.close())
    await connect(store)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      expect(statSync(file).mode & 0o777, file).toBe(0o600)
    }
  })

  it('closes an open file to others', async () => {
    const path = await storedFile()
    chmodSync(path, 0o664)
    const store = await openSqliteStore({ path })
    await store.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('refuses a database of a newer release and leaves it as it is', async () => {
    const path = await storedFile()
    edit(path, `PRAGMA user_version = ${schemaVersion + 1}`)
    const before = sha256(path)
    const refusal = { name: 'StoreSetupError', reason: 'newer_schema' }
    await expect(openSqliteStore({ path })).rejects.toMatchObject(refusal)
    await expect(inspectSqliteStore({ path })).rejects.toMatchObject(refusal)
    expect(sha256(path)).toBe(before)
  })

  it.each([
    ['is no database', () => bytes('this is no database'.repeat(500))],
    ['has lost its second half', (content: Buffer) => content.subarray(0, content.length / 2)],
    ['has a page of noise', (content: Buffer) => content.fill(randomBytes(4096), 4096, 8192)],
  ])('refuses a file that %s', async (_, damage) => {
    const path = await storedFile()
    writeFileSync(path, damage(readFileSync(path)))
    await expect(openSqliteStore({ path })).rejects.toMatchObject({ name: 'StoreError', reason: 'corrupt' })
  })

  it('refuses a directory that is not there', async () => {
    const path = join(tempDir(), 'nowhere', 'broker.db')
    await expect(openSqliteStore({ path })).rejects.toMatchObject({ reason: 'not_writable' })
  })

  it('answers that it is closed after close(), which may be repeated', async () => {
    const store = await openSqliteStore({ path: inMemory })
    await store.close()
    await store.close()
    const closed = { name: 'StoreError', reason: 'unavailable', message: 'the store is closed' }
    await expect(store.listKeys()).rejects.toMatchObject(closed)
    await expect(store.removeRevocation('r1')).rejects.toMatchObject(closed)
  })
})

describe('inspectSqliteStore()', () => {
  it('takes a missing file for an empty store and does not create it', async () => {
    const path = databasePath(tempDir())
    expect(await inspectSqliteStore({ path })).toEqual({ keys: [], hasSealedData: false })
    expect(existsSync(path)).toBe(false)
  })

  it('takes a file that was never migrated for an empty store', async () => {
    const path = databasePath(tempDir())
    writeFileSync(path, '')
    expect(await inspectSqliteStore({ path })).toEqual({ keys: [], hasSealedData: false })
    expect(statSync(path).size).toBe(0)
  })

  it('tells keys and sealed data, and changes no byte, even with a log that a crash left', async () => {
    const path = databasePath(tempDir())
    const store = await openSqliteStore({ path })
    onTestFinished(() => store.close())
    const key = {
      kid: 'ff',
      purpose: 'seal',
      wrappedSeed: bytes('w'),
      rootFingerprint: 'root',
      state: 'primary',
      createdAt: 1,
    } as const
    await store.insertKey(key)
    await store.createConsent(sampleConsent())
    await store.startConsent('link-1', sampleStart())
    const crashed = databasePath(tempDir())
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, crashed + suffix)
    expect(statSync(`${crashed}-wal`).size).toBeGreaterThan(0)
    const before = [sha256(crashed), sha256(`${crashed}-wal`)]
    expect(await inspectSqliteStore({ path: crashed })).toMatchObject({ keys: [key], hasSealedData: true })
    expect([sha256(crashed), sha256(`${crashed}-wal`)]).toEqual(before)
  })

  it('refuses a file that is no database', async () => {
    const path = databasePath(tempDir())
    writeFileSync(path, 'this is no database'.repeat(500))
    await expect(inspectSqliteStore({ path })).rejects.toMatchObject({ reason: 'corrupt' })
  })
})

describe('close()', () => {
  it('leaves one file', async () => {
    const path = await storedFile()
    expect(readdirSync(join(path, '..'))).toEqual(['broker.db'])
  })
})
