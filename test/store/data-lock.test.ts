import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DataLockedError, isNetworkFilesystem, lockDataDir } from '../../src/store/data-lock.ts'
import { StoreSetupError } from '../../src/store/setup-error.ts'
import { tempDir } from './temp-dir.ts'

const lockModule = new URL('../../src/store/data-lock.ts', import.meta.url).href

/** Another process that tries to lock the directory, says how that went, and stays until it is killed. */
async function startOther(dataDir: string): Promise<{ child: ChildProcess; said: string }> {
  const script = `
    const { lockDataDir } = await import(process.argv[1])
    try { lockDataDir(process.argv[2]); console.log('locked') } catch (error) { console.log(error.name) }
    globalThis.gc()
    setInterval(() => {}, 1000)`
  const options = ['--expose-gc', '--input-type=module', '--eval', script, lockModule, dataDir]
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => kill(child))
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
  return { child, said: String(said).trim() }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function lock(dataDir: string) {
  const held = lockDataDir(dataDir)
  onTestFinished(() => held.release())
  return held
}

describe('lockDataDir()', () => {
  it('creates the directory and its lock for the owner alone', () => {
    const before = process.umask(0)
    onTestFinished(() => {
      process.umask(before)
    })
    const dataDir = join(tempDir(), 'deep', 'data')
    lock(dataDir)
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
    expect(statSync(join(dataDir, 'lock.db')).mode & 0o777).toBe(0o600)
    expect(readdirSync(dataDir)).toEqual(['lock.db'])
  })

  it('refuses a second holder in the same process, until the first releases', () => {
    const dataDir = tempDir()
    const first = lock(dataDir)
    expect(() => lockDataDir(dataDir)).toThrow(DataLockedError)
    first.release()
    lock(dataDir)
  })

  it('keeps other processes out while this one holds it', async () => {
    const dataDir = tempDir()
    const held = lock(dataDir)
    expect((await startOther(dataDir)).said).toBe('DataLockedError')
    held.release()
    expect((await startOther(dataDir)).said).toBe('locked')
  })

  it('is kept out by another process, until that one dies', async () => {
    const dataDir = tempDir()
    const { child, said } = await startOther(dataDir)
    expect(said).toBe('locked')
    expect(() => lockDataDir(dataDir)).toThrow(DataLockedError)
    expect(() => lockDataDir(dataDir)).toThrow(
      `another broker is using the data directory ${dataDir}; stop it`,
    )
    await kill(child)
    lock(dataDir)
  })

  it('keeps directories apart', () => {
    lock(tempDir())
    lock(tempDir())
  })

  it('refuses a path that cannot be a directory', () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, '')
    for (const dataDir of [file, join(file, 'data')]) {
      expect(() => lockDataDir(dataDir)).toThrow(StoreSetupError)
      expect(() => lockDataDir(dataDir)).toThrow(expect.objectContaining({ reason: 'not_writable' }))
      expect(() => lockDataDir(dataDir)).toThrow(dataDir)
    }
  })

  it('refuses a directory whose lock is something else', () => {
    const dataDir = tempDir()
    mkdirSync(join(dataDir, 'lock.db'))
    expect(() => lockDataDir(dataDir)).toThrow(expect.objectContaining({ reason: 'not_writable' }))
  })
})

describe('isNetworkFilesystem()', () => {
  it.each([0x6969, 0xff534d42, 0xff534d42 | 0, 0x517b, 0xfe534d42])('is true of %i', type => {
    expect(isNetworkFilesystem(type)).toBe(true)
  })
  it.each([
    ['ext4', 0xef53],
    ['tmpfs', 0x01021994],
    ['overlayfs', 0x794c7630],
    ['xfs', 0x58465342],
  ])('is false of %s', (_, type) => {
    expect(isNetworkFilesystem(type)).toBe(false)
  })
})
