import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Secret } from '../secret.ts'
import { isFileError, isOpenToOthers } from './private-file.ts'
import { parseRootKey, type RootKey, RootKeyError, rootKeyBytes } from './root-key.ts'

/** Where the root key comes from: a file, or a value that an environment variable or a command has given. */
export type RootKeySource =
  | { readonly kind: 'file'; readonly path: string; readonly createIfMissing: boolean }
  | { readonly kind: 'value'; readonly value: Secret; readonly origin: string }

/** How much of a key file is read. A key is one line of at most 66 bytes; what is longer is no key in any case. */
const fileBytesMax = 1_024

/**
 * Gets the root key, and makes one at the first start. A store that has keys already gets no fresh root key:
 * the old one is needed, and a new one beside it would only hide that it is lost.
 *
 * @param storeHasKeys whether the store holds keys or sealed data
 * @throws RootKeyError `missing`, `unreadable`, `exposed`, `malformed`, `weak`
 */
export function loadRootKey({
  source,
  storeHasKeys,
}: {
  readonly source: RootKeySource
  readonly storeHasKeys: boolean
}): RootKey {
  if (source.kind === 'value') return parseRootKey(source.value, source.origin)
  const stored = readRootKeyFile(source.path)
  if (stored !== undefined) return stored
  if (storeHasKeys) {
    const message = `the root key file ${source.path} is missing, and the store cannot be read without that very key; restore it from your backup of the key`
    throw new RootKeyError('missing', message)
  }
  if (!source.createIfMissing) {
    const message = `the root key file ${source.path} does not exist; make it with: (umask 077; openssl rand -base64 32 > ${source.path})`
    throw new RootKeyError('missing', message)
  }
  return createRootKeyFile(source.path)
}

/**
 * Reads a key file; `undefined` if there is none.
 *
 * @throws RootKeyError `unreadable`, `exposed`, `malformed`, `weak`
 */
export function readRootKeyFile(path: string): RootKey | undefined {
  const text = readPrivateText(path)
  return text && parseRootKey(text, `the file ${path}`)
}

/**
 * Makes a random root key and stores it in a new file, mode 0600, on the disk when this returns.
 *
 * @throws RootKeyError `unreadable` if the file exists or cannot be written; nothing is left behind then
 */
export function createRootKeyFile(path: string): RootKey {
  const text = randomBytes(rootKeyBytes).toString('base64')
  try {
    writeNewFile(path, `${text}\n`)
    syncDirectory(dirname(path))
  } catch (error) {
    const message = `the root key file ${path} cannot be created; give its directory to the user that runs the broker`
    throw new RootKeyError('unreadable', message, { cause: error })
  }
  return parseRootKey(new Secret(text), `the file ${path}`)
}

function readPrivateText(path: string): Secret | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    if (isOpenToOthers(fstatSync(file).mode)) throw exposed(path)
    const content = Buffer.alloc(fileBytesMax)
    return new Secret(content.toString('utf8', 0, readSync(file, content)))
  } catch (error) {
    if (error instanceof RootKeyError) throw error
    if (file === undefined && isFileError(error, 'ENOENT')) return undefined
    const message = `the root key file ${path} cannot be read; give it to the user that runs the broker`
    throw new RootKeyError('unreadable', message, { cause: error })
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

function writeNewFile(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } catch (error) {
    // Half a key would stop every later start.
    unlinkSync(path)
    throw error
  } finally {
    closeSync(file)
  }
}

/** A new file is there after a power cut only if its directory was written too. Windows cannot and need not do that. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function exposed(path: string): RootKeyError {
  return new RootKeyError(
    'exposed',
    `the root key file ${path} is open to other users; run: chmod 600 ${path}, and consider the key known if they are not trusted`,
  )
}
