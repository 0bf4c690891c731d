import { open } from 'node:fs/promises'
import { CliError, EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { collectText } from './read-input.ts'

/** Bytes of an input: some ten thousand grants, and far from what would burden this process. */
const INPUT_BYTES_MAX = 16 * 1024 * 1024

/**
 * Reads what is to be imported.
 *
 * @param file absent or `-` = stdin
 * @throws CliError if it cannot be read, is too long, or would have to be typed where it shows
 */
export async function readImportText(file: string | undefined, io: Io): Promise<string> {
  const fromStdin = file === undefined || file === '-'
  if (fromStdin && io.ask !== undefined) {
    throw usageError('name a file, or pipe the tokens in: what is typed at a terminal stays visible there')
  }
  const text = fromStdin ? await io.readStdin(INPUT_BYTES_MAX) : await readFile(file)
  if (text === undefined) throw usageError(`the input is longer than ${INPUT_BYTES_MAX / 1024 / 1024} MiB`)
  // Editors on Windows begin files with a byte order mark.
  return text.replace(/^\ufeff/, '')
}

async function readFile(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path)
    // The stream closes the file, whether it is read to its end or not.
    return await collectText(handle.createReadStream(), INPUT_BYTES_MAX)
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException
    throw new CliError(EXIT.configuration, `cannot read ${path} (${code})`, { cause })
  }
}
