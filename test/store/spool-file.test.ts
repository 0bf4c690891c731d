import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Spool } from '../../src/store/spool.ts'
import { openSpoolFile, spoolPath } from '../../src/store/spool-file.ts'
import { pageBytes } from '../../src/store/spool-format.ts'
import { spoolContract } from './contract-spool.ts'
import { sampleSuccess } from './samples.ts'
import { sampleSpooled } from './spool-samples.ts'
import { filesContaining, tempDir } from './temp-dir.ts'

spoolContract('A file', room => {
  const path = spoolPath(tempDir())
  return { open: () => openSpoolFile(path, room * pageBytes) }
})

const size = 4_194_304
/** What is in a record and nowhere else. */
const marker = randomBytes(30).toString('base64')

async function open(path: string, bytes?: number): Promise<Spool> {
  const spool = await openSpoolFile(path, bytes)
  onTestFinished(() => spool.close())
  return spool
}

function commit(counter: number, sealedAccessToken = Buffer.from(marker, 'base64')) {
  return sampleSpooled({
    base: { id: 'c1', grantEpoch: 1, counter },
    outcome: sampleSuccess({ sealedAccessToken }),
  })
}

/** A closed file with commits 1 to 3, each on a page of its own. */
async function filledFile(): Promise<string> {
  const path = spoolPath(tempDir())
  const spool = await openSpoolFile(path, 8 * pageBytes)
  for (const counter of [1, 2, 3]) await spool.append(commit(counter))
  await spool.close()
  return path
}

function damage(path: string, change: (content: Buffer) => unknown): void {
  const content = readFileSync(path)
  change(content)
  writeFileSync(path, content)
}

async function listed(spool: Spool) {
  const { commits, damaged } = await spool.list()
  return { counters: commits.map(({ base }) => base.counter), damaged }
}

describe('openSpoolFile()', () => {
  it('creates a file for the owner alone, whatever the umask, that takes up its room', async () => {
    const before = process.umask(0)
    onTestFinished(() => {
      process.umask(before)
    })
    const path = spoolPath(tempDir())
    await open(path)
    const { mode, size: bytes, blocks } = statSync(path)
    expect(mode & 0o777).toBe(0o600)
    expect(bytes).toBe(size)
    expect(blocks * 512).toBeGreaterThanOrEqual(size)
  })

  it('closes an open file to others', async () => {
    const path = await filledFile()
    chmodSync(path, 0o664)
    await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['a file with holes', (path: string) => truncateSync(path, size)],
    ['a file that was cut', (path: string) => truncateSync(path, 3 * pageBytes)],
    ['a file that ends within a page', (path: string) => truncateSync(path, 3 * pageBytes + 5)],
  ])('fills up %s and keeps what is in it', async (_, change) => {
    const path = await filledFile()
    change(path)
    const spool = await open(path)
    expect(statSync(path).size).toBe(size)
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(size)
    expect(await listed(spool)).toEqual({ counters: [1, 2, 3], damaged: 0 })
  })

  it('takes a file that is larger as it is', async () => {
    const path = await filledFile()
    const spool = await open(path, pageBytes)
    expect(await listed(spool)).toEqual({ counters: [1, 2, 3], damaged: 0 })
    expect(statSync(path).size).toBe(8 * pageBytes)
  })

  it.skipIf(!existsSync('/dev/full'))('tells that the disk is full', async () => {
    const full = { name: 'StoreError', reason: 'full' }
    await expect(openSpoolFile('/dev/full')).rejects.toMatchObject(full)
  })

  it('tells that its directory is missing', async () => {
    const path = join(tempDir(), 'nowhere', 'spool')
    await expect(openSpoolFile(path)).rejects.toMatchObject({ reason: 'not_writable' })
  })
})

describe('a damaged file', () => {
  it.each([
    [
      'a flipped bit in a payload',
      (content: Buffer) => content.writeUInt8(content.readUInt8(pageBytes + 99) ^ 4, pageBytes + 99),
    ],
    [
      'a flipped bit in a checksum',
      (content: Buffer) => content.writeUInt8(content.readUInt8(pageBytes + 20) ^ 1, pageBytes + 20),
    ],
    [
      'a flipped bit in a state',
      (content: Buffer) => content.writeUInt8(content.readUInt8(pageBytes + 5) ^ 1, pageBytes + 5),
    ],
    [
      'a flipped bit in a magic',
      (content: Buffer) => content.writeUInt8(content.readUInt8(pageBytes) ^ 1, pageBytes),
    ],
    ['a length beyond the end', (content: Buffer) => content.writeUInt32BE(0xffff_ffff, pageBytes + 8)],
    ['a length of nothing', (content: Buffer) => content.writeUInt32BE(0, pageBytes + 8)],
    ['a page of noise', (content: Buffer) => randomBytes(pageBytes).copy(content, pageBytes)],
  ])('with %s loses that record alone, tells it once, and wipes it', async (_, change) => {
    const path = await filledFile()
    damage(path, change)
    const spool = await openSpoolFile(path)
    expect(await listed(spool)).toEqual({ counters: [1, 3], damaged: 1 })
    await spool.close()
    expect(await listed(await open(path))).toEqual({ counters: [1, 3], damaged: 0 })
    expect(readFileSync(path).subarray(pageBytes, 2 * pageBytes)).toEqual(Buffer.alloc(pageBytes))
  })

  it('that was cut within a record loses that record alone', async () => {
    const path = await filledFile()
    truncateSync(path, 2 * pageBytes + 100)
    expect(await listed(await open(path))).toEqual({ counters: [1, 2], damaged: 1 })
  })

  it('of an impossible removal stays as long as it is', async () => {
    const path = await filledFile()
    damage(path, content => {
      content.write('GONE', 2 * pageBytes + 4)
      content.writeUInt32BE(100_000_000, 2 * pageBytes + 8)
    })
    expect(await listed(await open(path, 8 * pageBytes))).toEqual({ counters: [1, 2], damaged: 1 })
    expect(statSync(path).size).toBe(8 * pageBytes)
  })

  it('counts a broken record of several pages once', async () => {
    const path = spoolPath(tempDir())
    const spool = await openSpoolFile(path)
    for (const counter of [1, 2, 3]) await spool.append(commit(counter, randomBytes(3 * pageBytes)))
    await spool.close()
    const record = 5 * pageBytes
    damage(path, content => content.fill(0, record + pageBytes, record + 2 * pageBytes))
    expect(await listed(await open(path))).toEqual({ counters: [1, 3], damaged: 1 })
  })

  it('of noise alone is an empty spool', async () => {
    const path = await filledFile()
    damage(path, content => randomBytes(content.length).copy(content))
    const spool = await open(path)
    expect(await listed(spool)).toEqual({ counters: [], damaged: 1 })
    await spool.append(commit(1))
    expect(await listed(spool)).toEqual({ counters: [1], damaged: 1 })
  })
})

describe('remove()', () => {
  it('wipes the bytes of the record and no others', async () => {
    const path = await filledFile()
    const before = readFileSync(path)
    const spool = await open(path, before.length)
    expect(filesContaining(dirname(path), Buffer.from(marker))).toEqual(['spool'])
    await spool.remove({ id: 'c1', grantEpoch: 1, counter: 2 })
    expect(readFileSync(path)).toEqual(before.fill(0, pageBytes, 2 * pageBytes))
    for (const counter of [1, 3]) await spool.remove({ id: 'c1', grantEpoch: 1, counter })
    expect(filesContaining(dirname(path), Buffer.from(marker))).toEqual([])
    expect(readFileSync(path)).toEqual(Buffer.alloc(before.length))
  })
})

describe('append()', () => {
  it('is in the file when it resolves', async () => {
    const path = spoolPath(tempDir())
    const spool = await open(path)
    await spool.append(commit(7))
    const crashed = spoolPath(tempDir())
    copyFileSync(path, crashed)
    expect(await listed(await open(crashed))).toEqual({ counters: [7], damaged: 0 })
  })

  it('has room for 1,024 commits', async () => {
    const spool = await open(spoolPath(tempDir()))
    for (let counter = 1; counter <= 1_024; counter++) await spool.append(commit(counter))
    await expect(spool.append(commit(0))).rejects.toMatchObject({ reason: 'full' })
  })
})
