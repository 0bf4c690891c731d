import { Mistake } from './mistake.ts'

/**
 * Reads a file, at most `bytesMax + 1` bytes of it, so that one byte too many shows.
 *
 * Rejects as `node:fs` does, with the `code` of the system's error.
 */
export type ReadFile = (path: string, bytesMax: number) => Promise<Uint8Array>

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a folder',
}

/**
 * Reads a whole file of UTF-8 text.
 *
 * @param path absolute
 * @throws Mistake that names the file; its `cause` is what the system said
 */
export async function readText(readFile: ReadFile, path: string, bytesMax: number): Promise<string> {
  const bytes = await readFile(path, bytesMax).catch((error: NodeJS.ErrnoException) => {
    throw new Mistake(`the file ${path} ${reasonOf(error)}`, error)
  })
  if (bytes.length > bytesMax) throw new Mistake(`the file ${path} is larger than ${bytesMax / 1024} KiB`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Mistake(`the file ${path} is not UTF-8 text`)
  }
}

function reasonOf({ code }: NodeJS.ErrnoException): string {
  return REASONS[code ?? ''] ?? `cannot be read${code === undefined ? '' : ` (${code})`}`
}
