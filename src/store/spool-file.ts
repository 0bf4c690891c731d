import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createPrivateFile, makePrivate } from './private-file.ts'
import type { Spool } from './spool.ts'
import { openSpool, type SpoolDisk } from './spool-log.ts'
import { StoreError } from './store.ts'

/** Room for 1,024 commits of a usual size. Each is one refresh that was answered while the store was down. */
const spoolBytes = 4_194_304

/** The unit of `blocks` in stat(2), whatever the file system's own is. */
const statBlockBytes = 512

/** The spool file of a data directory. */
export function spoolPath(dataDir: string): string {
  return join(dataDir, 'spool')
}

/**
 * Opens the spool in a file, creating it if it is missing (mode 0600). All its bytes are really written then,
 * so that the disk may be full later on. One process may use it at a time (`lockDataDir`).
 *
 * @throws StoreSetupError `not_writable`, `not_private`
 * @throws StoreError `full`, `unavailable`
 */
export async function openSpoolFile(path: string, bytes = spoolBytes): Promise<Spool> {
  createPrivateFile(path)
  makePrivate(path)
  try {
    return await openSpool(await openDisk(path, bytes))
  } catch (error) {
    throw storeErrorFrom(path, error)
  }
}

async function openDisk(path: string, bytes: number): Promise<SpoolDisk> {
  const file = await open(path, 'r+')
  const write = async (content: Uint8Array, offset: number) => {
    await writeAll(file, content, offset)
    await file.sync()
  }
  try {
    await allocate(file, bytes, write)
    await syncDirectory(dirname(path))
  } catch (error) {
    await file.close()
    throw error
  }
  return { read: () => readAll(file), write, close: () => file.close() }
}

/** A copy of the file, as a backup makes it, may have holes; they are filled, too. */
async function allocate(file: FileHandle, bytes: number, write: SpoolDisk['write']): Promise<void> {
  const { size, blocks } = await file.stat()
  if (size >= bytes && blocks * statBlockBytes >= size) return
  const content = await readAll(file)
  await write(Buffer.concat([content, Buffer.alloc(Math.max(0, bytes - content.length))]), 0)
}

async function readAll(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat()
  const content = Buffer.alloc(size)
  for (let read = 0; read < size; ) {
    const { bytesRead } = await file.read(content, read, size - read, read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return content
}

async function writeAll(file: FileHandle, content: Uint8Array, offset: number): Promise<void> {
  for (let written = 0; written < content.length; ) {
    const left = content.length - written
    const { bytesWritten } = await file.write(content, written, left, offset + written)
    written += bytesWritten
  }
}

/** A new file's name must last as well. Windows cannot open directories, and needs no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function storeErrorFrom(path: string, cause: unknown): StoreError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new StoreError('full', `there is no room for ${path}; free some space (${code})`, { cause })
    : new StoreError('unavailable', `${path} cannot be read or written; check the disk (${code})`, { cause })
}
