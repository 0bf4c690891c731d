import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type FileWatch, watchFiles } from '../../src/config/watch-files.ts'
import { tempFolder } from '../temp-folder.ts'

let watch: FileWatch | undefined
afterEach(() => watch?.close())

/** A watch over one file. `pollMs` so long that it never comes, unless a test wants it. */
async function watching(path: string, pollMs = 3_600_000) {
  const seen = { count: 0 }
  watch = watchFiles([path], () => seen.count++, { pollMs, quietMs: 20 })
  await watch.set([path])
  return seen
}

function folderWithFile() {
  const folder = tempFolder('watch')
  const path = join(folder, 'broker.yaml')
  writeFileSync(path, 'one')
  return { folder, path }
}

const WAYS: readonly (readonly [string, (folder: string, path: string) => void])[] = [
  ['written in place', (_, path) => writeFileSync(path, 'another')],
  [
    'replaced by renaming',
    (folder, path) => {
      writeFileSync(join(folder, 'new'), 'two')
      renameSync(join(folder, 'new'), path)
    },
  ],
  ['removed', (_, path) => rmSync(path)],
]

describe('watchFiles()', () => {
  it.each(WAYS)('tells that a file was %s', async (_, change) => {
    const { folder, path } = folderWithFile()
    const seen = await watching(path)
    change(folder, path)
    await expect.poll(() => seen.count).toBe(1)
  })

  it.each(WAYS)('sees by itself, where the system tells nothing, that a file was %s', async (_, change) => {
    const { folder, path } = folderWithFile()
    // The folder of the link tells nothing of what happens where the link leads.
    const elsewhere = tempFolder('link')
    symlinkSync(path, join(elsewhere, 'link.yaml'))
    const seen = await watching(join(elsewhere, 'link.yaml'), 30)
    change(folder, path)
    await expect.poll(() => seen.count).toBe(1)
  })

  it('follows the links that Kubernetes moves', async () => {
    const folder = tempFolder('volume')
    for (const version of ['..1', '..2']) {
      mkdirSync(join(folder, version))
      writeFileSync(join(folder, version, 'broker.yaml'), `same length ${version}`)
    }
    symlinkSync('..1', join(folder, '..data'))
    symlinkSync('..data/broker.yaml', join(folder, 'broker.yaml'))
    const seen = await watching(join(folder, 'broker.yaml'))
    symlinkSync('..2', join(folder, '..new'))
    renameSync(join(folder, '..new'), join(folder, '..data'))
    await expect.poll(() => seen.count).toBe(1)
  })

  it('tells that a file has appeared, also where its folder was not there', async () => {
    const folder = join(tempFolder('later'), 'mount')
    const seen = await watching(join(folder, 'broker.yaml'), 30)
    mkdirSync(folder)
    writeFileSync(join(folder, 'broker.yaml'), 'one')
    await expect.poll(() => seen.count).toBe(1)
  })

  it('tells once of many writes, after the last', async () => {
    const { path } = folderWithFile()
    const seen = await watching(path)
    for (let i = 0; i < 10; i++) {
      writeFileSync(path, `part ${i}`)
      await setTimeout(2)
    }
    await expect.poll(() => seen.count).toBe(1)
    await setTimeout(100)
    expect(seen.count).toBe(1)
  })

  it('leaves other files of the folder alone, and those that it is not to watch any more', async () => {
    const { folder, path } = folderWithFile()
    const seen = await watching(path, 20)
    writeFileSync(join(folder, 'other'), 'x')
    await setTimeout(100)
    expect(seen.count).toBe(0)
    await watch?.set([join(folder, 'other')])
    writeFileSync(path, 'changed')
    await setTimeout(100)
    expect(seen.count).toBe(0)
    writeFileSync(join(folder, 'other'), 'changed too')
    await expect.poll(() => seen.count).toBe(1)
  })

  it('tells nothing after it was closed', async () => {
    const { path } = folderWithFile()
    const seen = await watching(path, 20)
    writeFileSync(path, 'changed')
    watch?.close()
    await setTimeout(100)
    expect(seen.count).toBe(0)
  })
})
