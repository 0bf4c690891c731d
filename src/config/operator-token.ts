import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Secret } from '../secret.ts'
import { createCallerToken, parseCallerToken } from './caller-token.ts'
import { ConfigError } from './problem.ts'

/** The name of the caller that holds the operator's token; no configured caller may have it. */
export const OPERATOR = 'operator'
/** The token's file in the data directory. */
export const OPERATOR_TOKEN_FILE = 'operator.token'

/** A JSON Web Token, of which the broker takes at most 16 KiB, and a line break; a file with more is something else. */
const FILE_BYTES_MAX = 16 * 1024 + 2
/** Three parts, the first of which is a map in base64url. */
const JWT = /^ey[\w-]+\.[\w-]+\.[\w-]+$/
const OTHERS = 0o077

/**
 * Reads the operator's token, and on the first start makes one: the file (0600) is complete and on the disk
 * before it appears under its name, and one that another process has just made is taken.
 *
 * @param dataDir absolute; made (0700) if it does not exist
 * @param randomBytes unpredictable bytes, as of `node:crypto`
 * @throws ConfigError if the file is damaged, readable by others, or cannot be written
 */
export async function readOrCreateOperatorToken(
  dataDir: string,
  randomBytes: (size: number) => Uint8Array,
): Promise<Secret> {
  const path = join(dataDir, OPERATOR_TOKEN_FILE)
  const existing = await readIfPresent(path, isCallerToken)
  if (existing !== undefined) return existing
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await writeOnce(path, `${createCallerToken(randomBytes).token.expose()}\n`)
  } catch (error) {
    throw unusable(path, `cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
  return readOperatorToken(path)
}

/**
 * Reads a token file as a client does: the operator's, on the broker's own host, or that of another caller, which may
 * be a JSON Web Token.
 *
 * @throws ConfigError if the file is absent, damaged or readable by others
 */
export async function readTokenFile(path: string): Promise<Secret> {
  const token = await readIfPresent(path, text => isCallerToken(text) || JWT.test(text))
  if (token === undefined) throw absent(path)
  return token
}

async function readOperatorToken(path: string): Promise<Secret> {
  const token = await readIfPresent(path, isCallerToken)
  if (token === undefined) throw absent(path)
  return token
}

/** Judges what a file holds, its line break taken off. */
type IsToken = (text: string) => boolean

function isCallerToken(text: string): boolean {
  return parseCallerToken(text).ok
}

async function readIfPresent(path: string, isToken: IsToken): Promise<Secret | undefined> {
  const file = await openIfPresent(path)
  if (file === undefined) return undefined
  try {
    return await readPrivately(file, path, isToken)
  } finally {
    await file.close()
  }
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw unusable(path, code === 'EACCES' ? 'may not be read by this user' : `cannot be read (${code})`)
  }
}

/** Judges the opened file, not its name, so that nothing can be exchanged in between. */
async function readPrivately(file: FileHandle, path: string, isToken: IsToken): Promise<Secret> {
  const stat = await file.stat()
  if (!stat.isFile()) throw unusable(path, 'is not a file')
  if ((stat.mode & OTHERS) !== 0) {
    throw unusable(path, `holds a token and may be read by others; run chmod 600 ${path}`)
  }
  const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_BYTES_MAX + 1), 0, FILE_BYTES_MAX + 1, 0)
  const token = buffer.toString('latin1', 0, bytesRead).replace(/\r?\n$/, '')
  if (bytesRead > FILE_BYTES_MAX || !isToken(token)) {
    throw unusable(
      path,
      'holds no token, or a damaged one; if the broker made it, delete it, and its next start makes a new one',
    )
  }
  return new Secret(token)
}

/** Leaves an existing file alone: `link` never replaces. */
async function writeOnce(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(path))
}

/** A new name is durable only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unusable(path: string, message: string): ConfigError {
  return new ConfigError([{ origin: path, path: '', message }])
}

function absent(path: string): ConfigError {
  return unusable(
    path,
    `does not exist; a broker makes ${OPERATOR_TOKEN_FILE} in its data directory when it first starts`,
  )
}
