import { write } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { CopySink } from './copy.ts'

const STDOUT = 1
/** A pipe takes so much in one piece (POSIX: PIPE_BUF), so that no line of the log gets in between. */
const PIECE_BYTES_MAX = 4_096
/** While a pipe is full, its reader is given time. */
const FULL_MS = 50

/**
 * Appends to a file, opened anew for each piece, so that it may be moved away by whoever rotates it. A new one is its
 * owner's alone. What a full disk or a crash has cut off stays a line of its own: its records come again, whole.
 */
export function fileSink(path: string): CopySink {
  return {
    name: path,
    async write(lines) {
      const file = await open(path, 'a+', 0o600)
      try {
        await file.appendFile(`${(await isCutOff(file)) ? '\n' : ''}${textOf(lines)}`)
        await file.datasync()
      } finally {
        await file.close()
      }
    },
  }
}

/** Whether a file ends within a line. */
async function isCutOff(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString() !== '\n'
}

/** Writes to standard output without ever blocking this process, whoever reads there. */
export function stdoutSink(descriptor = STDOUT): CopySink {
  return {
    name: 'stdout',
    async write(lines) {
      for (const piece of pieces(lines)) await writeAll(descriptor, Buffer.from(piece))
    },
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map(line => `${line}\n`).join('')
}

/** Whole lines together as far as they fit. */
function* pieces(lines: readonly string[]): Generator<string> {
  let piece = ''
  for (const line of lines) {
    if (piece !== '' && Buffer.byteLength(piece) + Buffer.byteLength(line) >= PIECE_BYTES_MAX) {
      yield piece
      piece = ''
    }
    piece += `${line}\n`
  }
  if (piece !== '') yield piece
}

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += await writeSome(descriptor, bytes.subarray(written))
}

/** On a thread of its own: a full pipe blocks there, or says EAGAIN if somebody has made it non-blocking. */
function writeSome(descriptor: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, (error, written) => {
      if (error === null) resolve(written)
      else if (error.code === 'EAGAIN') setTimeout(resolve, FULL_MS, 0)
      else reject(error)
    })
  })
}
