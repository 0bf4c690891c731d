import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from '../interop/run-program.ts'

/** A file system of a few megabytes, which can be filled and emptied. */
export interface SmallDisk {
  readonly path: string
  /** Takes every byte that is left. */
  fill(): Promise<void>
  free(): Promise<void>
  unmount(): Promise<void>
}

/** The file that takes what is left. */
export const FILLER = 'filler'
const CHUNK_BYTES = 64 * 1024
/** The least that a file grows by: no chunk of that size fits any more. */
const PAGE_BYTES = 4096

/** Mounts a tmpfs on an existing folder. Needs root. */
export async function mountSmallDisk(path: string, megabytes: number): Promise<SmallDisk> {
  await must('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', path])
  const filler = join(path, FILLER)
  return {
    path,
    async fill() {
      const file = await open(filler, 'a')
      try {
        for (const size of [CHUNK_BYTES, PAGE_BYTES]) await writeUntilFull(file, size)
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler, { force: true }),
    unmount: () => must('umount', ['-l', path]),
  }
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, size: number): Promise<void> {
  const chunk = Buffer.alloc(size)
  for (;;) {
    try {
      const { bytesWritten } = await file.write(chunk)
      if (bytesWritten < size) return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
      throw error
    }
  }
}

async function must(file: string, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(file, args)
  if (exitCode !== 0) throw new Error(`${file} failed: ${stderr}`)
}
