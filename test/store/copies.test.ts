import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { backUpDatabase } from '../../src/store/backup.ts'
import { commitMarkPath } from '../../src/store/commit-mark-file.ts'
import { openSealedStore, type SealedStoreOptions } from '../../src/store/open-store.ts'
import { restoreDatabase } from '../../src/store/restore.ts'
import { noteRestoredFolder } from '../../src/store/restored-folder.ts'
import { databasePath } from '../../src/store/sqlite.ts'
import { baseOf, connect, sampleEntry, sampleSuccess, t0 } from './samples.ts'
import { filesContaining, tempDir } from './temp-dir.ts'

const keyOf = (dataDir: string) =>
  ({ kind: 'file', path: join(dataDir, 'root.key'), createIfMissing: true }) as const

/** Opens the store of a directory; it is closed when the test ends, if not before. */
async function open(dataDir: string, options: Partial<SealedStoreOptions> = {}) {
  const opened = await openSealedStore({ dataDir, rootKey: keyOf(dataDir), now: t0, ...options })
  let isOpen = true
  const close = async () => {
    if (isOpen) await opened.close()
    isOpen = false
  }
  onTestFinished(close)
  return { ...opened, close }
}

/** A directory with a closed store of one connection, and a backup of it. */
async function backedUp() {
  const dataDir = tempDir()
  const opened = await open(dataDir)
  const row = await connect(opened.store)
  const file = join(tempDir(), 'backup.db')
  await backUpDatabase(dataDir, file)
  return { dataDir, file, opened, row }
}

const restore = (dataDir: string, from: string) =>
  restoreDatabase({ dataDir, from, now: t0, rootKey: keyOf(dataDir) })

describe('backUpDatabase()', () => {
  it('copies a store in use: one moment, one file, for nobody else', async () => {
    const { dataDir, opened, row } = await backedUp()
    await opened.store.commitRefresh(baseOf(row), sampleSuccess())
    const folder = tempDir()
    const file = join(folder, 'backup.db')
    expect(await backUpDatabase(dataDir, file)).toMatchObject({
      connections: 1,
      bytes: statSync(file).size,
      commitMark: { sequence: 2 },
    })
    expect(readdirSync(folder)).toEqual(['backup.db'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const copy = new Database(file, { readonly: true })
    expect(copy.prepare('SELECT version FROM connections').pluck().get()).toBe('v2')
    copy.close()
  })

  it('is whole while the store is written all the time', async () => {
    const { dataDir, opened } = await backedUp()
    let isWriting = true
    const writer = (async () => {
      for (let index = 0; isWriting; index++) {
        await connect(opened.store, { id: `w${index}`, account: `w${index}` })
        await new Promise(setImmediate)
      }
    })()
    for (let index = 0; index < 5; index++) {
      const { connections, commitMark } = await backUpDatabase(dataDir, join(tempDir(), `${index}.db`))
      expect(connections).toBe(commitMark?.sequence)
    }
    isWriting = false
    await writer
  })

  it('holds no secret in clear', async () => {
    const { opened, dataDir } = await backedUp()
    const context = {
      table: 'connections',
      column: 'access_token',
      id: 'c2',
      grantEpoch: 1,
      origin: '',
    } as const
    const sealedAccessToken = opened.keyring.seal(new Secret('canary-backup'), context)
    await connect(opened.store, { id: 'c2', account: 'bob', sealedAccessToken })
    const folder = tempDir()
    await backUpDatabase(dataDir, join(folder, 'backup.db'))
    expect(filesContaining(folder, Buffer.from('canary-backup'))).toEqual([])
    expect(filesContaining(folder, Buffer.from(sealedAccessToken))).toEqual(['backup.db'])
  })

  it.each<[string, string, (dataDir: string, file: string) => unknown]>([
    ['over a file that exists', 'exists', (_, file) => writeFileSync(file, 'mine')],
    ['into no folder', 'not_writable', () => undefined],
    ['of no database', 'no_database', dataDir => writeFileSync(join(dataDir, 'x'), '')],
  ])('refuses %s, and writes nothing', async (_, reason, prepare) => {
    const { dataDir } = await backedUp()
    const folder = tempDir()
    const file = reason === 'not_writable' ? join(folder, 'absent', 'b.db') : join(folder, 'b.db')
    prepare(dataDir, file)
    const before = readdirSync(folder)
    const source = reason === 'no_database' ? tempDir() : dataDir
    await expect(backUpDatabase(source, file)).rejects.toMatchObject({ reason })
    expect(readdirSync(folder)).toEqual(before)
    if (reason === 'exists') expect(readFileSync(file, 'utf8')).toBe('mine')
  })
})

describe('restoreDatabase()', () => {
  it('refuses while a broker uses the directory', async () => {
    const { dataDir, file } = await backedUp()
    // Locks of one process do not keep it out itself: another one must hold it.
    const script = `
      const { restoreDatabase } = await import('${join(import.meta.dirname, '../../src/store/restore.ts')}')
      const rootKey = { kind: 'file', path: '${join(dataDir, 'root.key')}', createIfMissing: false }
      try { restoreDatabase({ dataDir: '${dataDir}', from: '${file}', now: 0, rootKey }) }
      catch (error) { process.stdout.write(error.name) }`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('DataLockedError')
  })

  it('puts the backup in place and keeps what it replaces', async () => {
    const { dataDir, file, opened, row } = await backedUp()
    await opened.store.commitRefresh(baseOf(row), sampleSuccess())
    await opened.close()
    const { replaced, isOlder, connections } = restore(dataDir, file)
    expect({ isOlder, connections }).toEqual({ isOlder: true, connections: 1 })
    expect(replaced).toBe(`${databasePath(dataDir)}.replaced-20270115T080000Z`)
    const former = new Database(replaced, { readonly: true })
    expect(former.prepare('SELECT version FROM connections').pluck().get()).toBe('v2')
    former.close()
    expect(readdirSync(dataDir).filter(name => /restoring|broker.db-/.test(name))).toEqual([])
    const again = await open(dataDir, { acceptRestore: { exempt: [] } })
    expect(await again.store.findConnection('pinterest', 'alice')).toMatchObject({
      version: 'v1',
      suspect: true,
    })
  })

  it.each([0o444, 0o644])(
    'is for nobody else, and can be written, though the backup has mode %o',
    async mode => {
      const { dataDir, file, opened } = await backedUp()
      await opened.close()
      chmodSync(file, mode)
      restore(dataDir, file)
      expect(statSync(databasePath(dataDir)).mode & 0o777).toBe(0o600)
    },
  )

  it('of the newest state needs no leave', async () => {
    const { dataDir, file, opened } = await backedUp()
    await opened.close()
    expect(restore(dataDir, file).isOlder).toBe(false)
    expect((await open(dataDir)).restored).toBeUndefined()
  })

  it('takes the place of a damaged database and of its log', async () => {
    const { dataDir, file, opened } = await backedUp()
    await opened.close()
    writeFileSync(databasePath(dataDir), randomBytes(8_192))
    writeFileSync(`${databasePath(dataDir)}-wal`, randomBytes(8_192))
    restore(dataDir, file)
    expect(existsSync(`${databasePath(dataDir)}-wal`)).toBe(false)
    expect(await (await open(dataDir)).store.findConnection('pinterest', 'alice')).toBeDefined()
  })

  it('brings its keys with it', async () => {
    const { dataDir, file, opened } = await backedUp()
    const context = {
      table: 'connections',
      column: 'access_token',
      id: 'c1',
      grantEpoch: 1,
      origin: '',
    } as const
    const sealed = opened.keyring.seal(new Secret('old'), context)
    const kid = await opened.keys.rotate(t0)
    await opened.close()
    restore(dataDir, file)
    const again = await open(dataDir, { acceptRestore: { exempt: [] } })
    expect(again.keyring.open(sealed, context).expose()).toBe('old')
    expect((await again.keys.list()).map(key => key.kid)).not.toContain(kid)
  })

  it('of an older release gets what its tables lack: its values are counted', async () => {
    const { dataDir, file, opened } = await backedUp()
    const expected = await opened.store.countSealedValues()
    await opened.store.removeConnection('pinterest', 'alice')
    await opened.close()
    makeVersion6(file)
    restore(dataDir, file)
    const { store } = await open(dataDir, { acceptRestore: { exempt: [] } })
    expect(await store.countSealedValues()).toEqual(expected)
    await store.removeConnection('pinterest', 'alice')
    expect(await store.countSealedValues()).toEqual([])
  })

  it.each<[string, string, (file: string, dataDir: string) => unknown]>([
    ['a file that is no database', 'damaged', file => writeFileSync(file, randomBytes(9_000))],
    ['half a database', 'damaged', file => writeFileSync(file, readFileSync(file).subarray(0, 40_000))],
    ['an empty file', 'damaged', file => writeFileSync(file, '')],
    ['a database in use', 'unreadable', file => writeFileSync(`${file}-wal`, 'frames')],
    ['a backup under another root key', 'wrong', (_, dataDir) => newKey(dataDir)],
  ])('refuses %s, and changes nothing', async (_, reason, spoil) => {
    const { dataDir, file, opened } = await backedUp()
    await opened.close()
    const before = readFileSync(databasePath(dataDir))
    spoil(file, dataDir)
    expect(() => restore(dataDir, file)).toThrow(expect.objectContaining({ reason }))
    expect(readFileSync(databasePath(dataDir)).equals(before)).toBe(true)
    expect(readdirSync(dataDir).filter(name => /restoring|replaced/.test(name))).toEqual([])
  })
})

describe('openSealedStore() on an older database', () => {
  /** A directory whose database is replaced by what the backup had, behind the broker's back. */
  async function rolledBack() {
    const { dataDir, file, opened, row } = await backedUp()
    await connect(opened.store, { id: 'c2', provider: 'square', account: 'bob' })
    await opened.store.commitRefresh(baseOf(row), sampleSuccess())
    await opened.close()
    const newest = join(tempDir(), 'newest.db')
    copyFileSync(databasePath(dataDir), newest)
    copyFileSync(file, databasePath(dataDir))
    return { dataDir, newest }
  }

  it('refuses, says what to do, and changes no byte', async () => {
    const { dataDir } = await rolledBack()
    const before = readFileSync(databasePath(dataDir))
    const refused = openSealedStore({ dataDir, rootKey: keyOf(dataDir), now: t0 })
    await expect(refused).rejects.toMatchObject({ name: 'StoreSetupError', reason: 'rolled_back' })
    await expect(refused).rejects.toThrow('--accept-restore')
    expect(readFileSync(databasePath(dataDir)).equals(before)).toBe(true)
  })

  it('refuses again and again, until it is accepted once', async () => {
    const { dataDir } = await rolledBack()
    for (let tries = 0; tries < 2; tries++) {
      await expect(open(dataDir)).rejects.toMatchObject({ reason: 'rolled_back' })
    }
    const accepted = await open(dataDir, { acceptRestore: { exempt: ['square'] } })
    expect(accepted.restored).toBe(1)
    expect(await accepted.store.restoreReport()).toMatchObject({ pending: 1, acceptedAt: t0 })
    await accepted.close()
    expect((await open(dataDir)).restored).toBeUndefined()
  })

  it('records that it was accepted whatever comes after, for it is accepted only once', async () => {
    const { dataDir } = await rolledBack()
    const entryOf = (count: number) => sampleEntry({ event: 'STORE_RESTORED', count })
    const accepted = await open(dataDir, { acceptRestore: { exempt: ['square'], entryOf } })
    await accepted.close()
    const { store } = await open(dataDir, { acceptRestore: { exempt: [], entryOf } })
    const records = await store.listAuditRecordsAfter(0, 100)
    expect(records.filter(({ event }) => event === 'STORE_RESTORED')).toMatchObject([{ count: 1 }])
  })

  it('accepts the newest one again', async () => {
    const { dataDir, newest } = await rolledBack()
    copyFileSync(newest, databasePath(dataDir))
    expect((await open(dataDir, { acceptRestore: { exempt: [] } })).restored).toBeUndefined()
  })

  it('refuses what an accepted copy has replaced: that one may have replaced its refresh tokens', async () => {
    const { dataDir, newest } = await rolledBack()
    await (await open(dataDir, { acceptRestore: { exempt: [] } })).close()
    copyFileSync(newest, databasePath(dataDir))
    await expect(open(dataDir)).rejects.toMatchObject({ reason: 'rolled_back' })
    expect((await open(dataDir, { acceptRestore: { exempt: [] } })).restored).toBe(2)
  })

  it('refuses a directory whose database is gone', async () => {
    const { dataDir, opened } = await backedUp()
    await opened.close()
    for (const path of [databasePath(dataDir), keyOf(dataDir).path]) rmSync(path)
    await expect(open(dataDir)).rejects.toMatchObject({ reason: 'rolled_back' })
    // No new root key either: it would hide that the one which is needed is lost.
    for (const path of [databasePath(dataDir), keyOf(dataDir).path]) expect(existsSync(path)).toBe(false)
  })

  it('refuses another store', async () => {
    const { dataDir, opened } = await backedUp()
    await opened.close()
    const otherDir = tempDir()
    copyFileSync(join(dataDir, 'root.key'), join(otherDir, 'root.key'))
    const other = await open(otherDir)
    for (const id of ['x', 'y', 'z']) await connect(other.store, { id, account: id })
    await other.close()
    copyFileSync(databasePath(otherDir), databasePath(dataDir))
    await expect(open(dataDir)).rejects.toMatchObject({ reason: 'rolled_back' })
  })

  it('sees a removal that was taken back', async () => {
    const { dataDir, file, opened } = await backedUp()
    await opened.store.removeConnection('pinterest', 'alice')
    await opened.close()
    copyFileSync(file, databasePath(dataDir))
    await expect(open(dataDir)).rejects.toMatchObject({ reason: 'rolled_back' })
  })

  it.each([
    ['', 'no mark'],
    ['garbage', 'an unreadable mark'],
  ])('with a mark of %j takes what is there: %s', async mark => {
    const { dataDir } = await rolledBack()
    writeFileSync(commitMarkPath(dataDir), mark)
    expect((await open(dataDir)).restored).toBeUndefined()
  })
})

/** Takes from a backup what version 7 brought. */
function makeVersion6(file: string): void {
  const database = new Database(file)
  const triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%sealed_counts%'"
  for (const name of database.prepare<[], string>(triggers).pluck().all())
    database.exec(`DROP TRIGGER ${name}`)
  database.exec('DROP TABLE sealed_counts')
  database.pragma('user_version = 6')
  database.close()
}

function newKey(dataDir: string): void {
  writeFileSync(join(dataDir, 'root.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
}

describe('noteRestoredFolder()', () => {
  it('makes the next start refuse a directory that was put back whole, until it is accepted and checked', async () => {
    const dataDir = tempDir()
    const opened = await open(dataDir)
    const row = await connect(opened.store)
    await opened.close()
    const snapshot = join(tempDir(), 'snapshot')
    cpSync(dataDir, snapshot, { recursive: true })
    const later = await open(dataDir)
    await later.store.commitRefresh(baseOf(row), sampleSuccess())
    await later.close()

    // Nothing in a snapshot can tell that it is one.
    await (await open(snapshot)).close()
    await noteRestoredFolder(snapshot)
    await expect(open(snapshot)).rejects.toMatchObject({ reason: 'rolled_back' })
    const accepted = await open(snapshot, { acceptRestore: { exempt: [] } })
    expect(accepted.restored).toBe(1)
    await accepted.close()
    await (await open(snapshot)).close()
  })

  it('changes nothing while a broker runs, and nothing where there is no database', async () => {
    const { dataDir } = await backedUp()
    const before = readFileSync(commitMarkPath(dataDir), 'latin1')
    await expect(noteRestoredFolder(dataDir)).rejects.toMatchObject({ name: 'DataLockedError' })
    expect(readFileSync(commitMarkPath(dataDir), 'latin1')).toBe(before)
    const empty = tempDir()
    await expect(noteRestoredFolder(empty)).rejects.toMatchObject({ reason: 'no_database' })
    expect(readdirSync(empty)).toEqual([])
  })
})
