import { isDeepStrictEqual } from 'node:util'
import type { TlsFiles, TlsMaterial } from './config.ts'
import type { ReadFile } from './files.ts'
import { readTls } from './tls-files.ts'
import { type WatchTimes, watchFiles } from './watch-files.ts'

/** A file that could not be read for want of file descriptors does not change when there are some again. */
const RETRY_MS = 30_000

/** What {@link watchTls} needs. */
export interface TlsWatchPorts {
  readonly readFile: ReadFile
  readonly log: {
    info(message: string, fields: Readonly<Record<string, unknown>>): void
    error(message: string, fields: Readonly<Record<string, unknown>>): void
  }
  readonly times?: WatchTimes
}

/**
 * Watches the files of a listener, and hands over what they hold whenever it has changed and fits together.
 * Until it does, what was handed over last stays good, the log says so, and it is looked at again now and then.
 *
 * @param apply takes all of it or throws
 * @returns stops the watch
 */
export function watchTls(
  files: TlsFiles,
  loaded: TlsMaterial,
  apply: (material: TlsMaterial) => void,
  { readFile, log, times }: TlsWatchPorts,
): () => void {
  let current = loaded
  let isStopped = false
  let said = ''
  let retry: NodeJS.Timeout | undefined
  // One after the other: an older state must not be taken after a newer one.
  let looking = Promise.resolve()

  async function look(): Promise<void> {
    clearTimeout(retry)
    let mistakes: string[] = []
    const read = () => {
      mistakes = []
      return readTls(files, readFile, (key, message) => mistakes.push(`${key} ${message}`))
    }
    // One read may meet the old certificate and the new key: only what a second one still finds is a mistake.
    const material = (await read()) ?? (await read())
    if (isStopped) return
    if (material === undefined) return complain(mistakes.join('; '))
    if (isSame(material, current)) {
      said = ''
      return
    }
    try {
      apply(material)
    } catch (error) {
      return complain((error as Error).message)
    }
    current = material
    said = ''
    log.info('Took new certificates without a restart', { ...files })
  }

  /** The same trouble is said once, however often it is met. */
  function complain(why: string): void {
    retry = setTimeout(lookAgain, times?.retryMs ?? RETRY_MS).unref()
    if (why === said) return
    said = why
    log.error('The new certificates cannot be used: those read last stay in use', { ...files, why })
  }

  function lookAgain(): void {
    looking = looking.then(look)
  }

  const paths = [files.cert, files.key, files.clientCa].filter(path => path !== undefined)
  const watch = watchFiles(paths, lookAgain, times)
  // What has changed between the start and now.
  lookAgain()
  return () => {
    isStopped = true
    clearTimeout(retry)
    watch.close()
  }
}

function isSame(a: TlsMaterial, b: TlsMaterial): boolean {
  const texts = ({ cert, key, clientCa }: TlsMaterial) => [cert, key.expose(), clientCa]
  return isDeepStrictEqual(texts(a), texts(b))
}
