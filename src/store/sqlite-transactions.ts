import { setTimeout } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { isBusy, storeErrorFrom } from './sqlite-errors.ts'
import { StoreError } from './store.ts'

/** Waits that many milliseconds. */
export type Pause = (ms: number) => Promise<unknown>

/** With the busy timeout of 10 ms, the event loop is free for four fifths of the time that another process holds the lock. */
const busyPauseMs = 40

/** About 3 s. Longer than any honest writer holds the lock, shorter than a caller's default patience of 10 s. */
const busyTriesMax = 60

/** How soon the log is truncated again after a reader was in the way. */
const truncatePauseMs = 1_000

/** How the store reaches its database. Errors come out as `StoreError`. */
export interface Transactions {
  read<T>(work: () => T): Promise<T>
  /** Runs the work in one immediate transaction; it is durable when the promise resolves. */
  write<T>(work: () => T): Promise<T>
  /** A write after which what it removed is in no file any more. */
  erase<T>(work: () => T): Promise<T>
  close(): Promise<void>
}

/**
 * Wraps a database so that waiting for another process's lock does not block the event loop: SQLite waits
 * 10 ms itself, then the whole work is tried again after a pause.
 *
 * @param pause waits between tries; real time unless a test says otherwise
 */
export function createTransactions(database: Database, pause: Pause = setTimeout): Transactions {
  const eraser = createEraser(database, pause)
  // A crash may have come between a removal and the emptying of the log.
  eraser.truncateLog()
  const run = <T>(work: () => T) => retryWhileBusy(() => onOpen(database, work), pause)
  // Immediate: a transaction that reads first and takes the write lock later can fail at once, unretried.
  const write = <T>(work: () => T) => run(() => database.transaction(work).immediate())
  return {
    read: run,
    write,
    async erase(work) {
      const result = await write(work)
      eraser.truncateLog()
      return result
    },
    async close() {
      database.close()
    },
  }
}

/**
 * Runs the work until it meets no lock, at most for about 3 s.
 *
 * @throws StoreError
 */
export async function retryWhileBusy<T>(work: () => T, pause: Pause = setTimeout): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || tries === busyTriesMax) throw storeErrorFrom(error)
    }
    await pause(busyPauseMs)
  }
}

/**
 * Empties the write-ahead log, which else keeps the frames of removed rows until they happen to be
 * overwritten. A reader with an open transaction (a backup, a shell) needs those frames and is in the way;
 * then the log is emptied as soon as the reader ends: tried every second, at the next removal, when the
 * database is closed and when it is opened again. The removal itself is done and durable before.
 */
function createEraser(database: Database, pause: Pause = setTimeout): { truncateLog(): void } {
  let retrying = false
  async function retry(): Promise<void> {
    retrying = true
    do await pause(truncatePauseMs)
    while (database.open && !tryToTruncate(database))
    retrying = false
  }
  return {
    truncateLog() {
      if (!tryToTruncate(database) && !retrying) void retry()
    },
  }
}

/** Never throws: what was to be removed is removed, and a disk that fails here fails the next write too. */
function tryToTruncate(database: Database): boolean {
  try {
    const blocked = database.prepare<[], number>('PRAGMA wal_checkpoint(TRUNCATE)').pluck().get()
    return blocked === 0
  } catch {
    return false
  }
}

function onOpen<T>(database: Database, work: () => T): T {
  if (!database.open) throw new StoreError('unavailable', 'the store is closed')
  return work()
}
