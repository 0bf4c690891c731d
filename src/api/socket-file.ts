import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** Why a socket cannot be made where it should be; the message continues "cannot listen on <path>:". */
export class SocketFileError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SocketFileError'
  }
}

const OTHERS = 0o077
/** Nobody else may reach the socket: whoever connects is not asked for a certificate. */
const FOLDER_MODE = 0o700
const SOCKET_MODE = 0o600
/** Milliseconds for a process on this machine to accept. */
const PROBE_MS_MAX = 1_000

/**
 * Makes the place of a socket ready: its folder (0700) exists, and a socket that a dead process has left there
 * is gone. To be called only by who holds the lock of the data directory.
 *
 * @param path absolute
 * @throws SocketFileError
 */
export async function prepareSocket(path: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  const found = await lstat(folder)
  const { mode, uid } = found
  // Whoever made the link could lead clients, and their tokens, elsewhere.
  if (found.isSymbolicLink()) {
    throw new SocketFileError(`its folder ${folder} is a link; name the folder that it leads to`)
  }
  if ((mode & OTHERS) !== 0) {
    throw new SocketFileError(
      `others may enter its folder; run chmod 700 ${folder}, or take a folder of its own`,
    )
  }
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new SocketFileError(`its folder ${folder} belongs to another user`)
  }
  await removeStale(path)
}

/** Makes the socket that is listened on accessible to its owner alone. */
export function guardSocket(path: string): Promise<void> {
  return chmod(path, SOCKET_MODE)
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isSocket()) throw new SocketFileError('there is a file that is no socket; move it away')
  if (await isAnswered(path)) {
    throw new SocketFileError('another process listens there; stop it, or set another path')
  }
  await unlink(path)
}

/** Anything but a plain refusal counts as an answer: a living socket must not be taken away. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    const answer = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.setTimeout(PROBE_MS_MAX, () => answer(true))
    socket.once('connect', () => answer(true))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      answer(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}
