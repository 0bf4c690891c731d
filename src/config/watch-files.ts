import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

/** Where the system tells nothing, as on network file systems, or about what a link points to. */
const POLL_MS = 1_000
/** A file that is being written is left alone until it has been quiet that long. */
const QUIET_MS = 100
/** But no longer than that: who writes all the time must not keep a change from being seen. */
const QUIET_MS_MAX = 1_000

/** Times in which files are looked at; tests shorten them. Milliseconds. */
export interface WatchTimes {
  readonly pollMs?: number
  readonly quietMs?: number
  /** How soon what could not be read is read again, although its file has not changed. */
  readonly retryMs?: number
}

/** A watch over files. */
export interface FileWatch {
  /**
   * Watches these files from now on, and no others; those that were watched before are not lost sight of.
   *
   * @returns resolves once each of them has been seen as it is now
   */
  set(paths: readonly string[]): Promise<void>
  close(): void
}

/**
 * Watches files by name: also when they are replaced, appear, vanish, or are reached through links that move, as
 * Kubernetes does it. Neither the watching nor its timers keep the process alive.
 *
 * @param onChange called after the files have been quiet for a moment; never twice for one change
 */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  { pollMs = POLL_MS, quietMs = QUIET_MS }: WatchTimes = {},
): FileWatch {
  const folders = new Map<string, FSWatcher | undefined>()
  let names: ReadonlySet<string> = new Set()
  let watched: readonly string[] = []
  let known: ReadonlyMap<string, string> | undefined
  let firstSeenAt: number | undefined
  let looking: Promise<void> | undefined
  let again = false
  let isClosed = false
  let quiet: NodeJS.Timeout | undefined
  const poll = setInterval(() => void look(), pollMs).unref()
  void set(paths)

  function set(next: readonly string[]): Promise<void> {
    watched = next
    names = new Set(next.map(path => basename(path)))
    const wanted = new Set(next.map(path => dirname(path)))
    for (const [folder, watcher] of folders) {
      if (wanted.has(folder)) continue
      watcher?.close()
      folders.delete(folder)
    }
    for (const folder of wanted) if (!folders.has(folder)) folders.set(folder, watchFolder(folder))
    return look()
  }

  /** The folder and not the file: a watch on a file stays with what was there when it began. */
  function watchFolder(folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // Links that Kubernetes moves have names of their own.
        if (name === null || names.has(name) || name.startsWith('..')) void look()
      })
      return watcher.on('error', () => watcher.close())
    } catch {
      // The poll is left.
      return undefined
    }
  }

  /** One look at a time; what happens during one is looked at after it. */
  async function look(): Promise<void> {
    again = true
    looking ??= lookUntilQuiet()
    await looking
  }

  async function lookUntilQuiet(): Promise<void> {
    while (again) {
      again = false
      await compare()
    }
    looking = undefined
  }

  async function compare(): Promise<void> {
    const now = await signaturesOf(watched)
    const before = known
    known = new Map([...(before ?? []), ...now])
    const hasChanged =
      before !== undefined && [...now].some(([path, seen]) => (before.get(path) ?? seen) !== seen)
    if (hasChanged && !isClosed) tellSoon()
  }

  function tellSoon(): void {
    firstSeenAt ??= performance.now()
    const isTooLong = performance.now() - firstSeenAt >= QUIET_MS_MAX
    clearTimeout(quiet)
    quiet = setTimeout(tell, isTooLong ? 0 : quietMs).unref()
  }

  function tell(): void {
    firstSeenAt = undefined
    onChange()
  }

  return {
    set,
    close() {
      isClosed = true
      clearInterval(poll)
      clearTimeout(quiet)
      for (const watcher of folders.values()) watcher?.close()
    },
  }
}

/** What tells one state of a file from another without reading it; a link counts as what it leads to. */
async function signaturesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const all = paths.map(async path => {
    const found = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => error.code ?? '')
    return [
      path,
      typeof found === 'string'
        ? found
        : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`,
    ] as const
  })
  return new Map(await Promise.all(all))
}
