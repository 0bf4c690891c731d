import type { Base } from './rows.ts'
import { type Spool, SpoolError, type SpooledCommit } from './spool.ts'
import {
  type Extent,
  headerBytes,
  recordFromCommit,
  removalOf,
  type SpoolRecord,
  scanRecords,
} from './spool-format.ts'

/** Bytes of a fixed number that stay. Errors are those of the file system. */
export interface SpoolDisk {
  read(): Promise<Buffer>
  /** Durable when the promise resolves. If it rejects or the process ends, any of the bytes may be written. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the spool on a disk. Records are appended behind the last that is kept, so that the room comes back
 * when the records at the end go, and all of it when none is left. What cannot be read is counted and wiped.
 */
export async function openSpool(disk: SpoolDisk): Promise<Spool> {
  const content = await disk.read()
  const { records, remains, damaged } = scanRecords(content)
  for (const extent of remains) await wipe(disk, extent)
  return createSpool(disk, content.length, [...records], damaged)
}

function createSpool(disk: SpoolDisk, capacity: number, records: SpoolRecord[], damaged: number): Spool {
  /** How far a failed append may have left bytes behind the last record. */
  let littered = 0
  const inTurn = createTurns()

  async function append(commit: SpooledCommit): Promise<void> {
    const record = recordFromCommit(commit)
    const offset = endOf(records.at(-1))
    const extent = { offset, length: record.length }
    if (endOf(extent) > capacity) throw new SpoolError('full', 'the spool has no room for another commit')
    const litter = Buffer.alloc(Math.max(0, littered - endOf(extent)))
    littered = Math.max(littered, endOf(extent))
    try {
      await disk.write(Buffer.concat([record, litter]), offset)
    } catch (error) {
      // Else a restart might find what nobody counts on.
      await wipe(disk, { offset, length: littered - offset }).catch(() => {})
      throw spoolErrorFrom(error)
    }
    littered = endOf(extent)
    records.push({ ...extent, commit })
  }

  async function remove(record: SpoolRecord): Promise<void> {
    try {
      const { bytes, offset } = removalOf(record)
      await disk.write(bytes, offset)
      await wipe(disk, record)
    } catch (error) {
      throw spoolErrorFrom(error)
    }
    records.splice(records.indexOf(record), 1)
  }

  return {
    append: commit => inTurn(() => append(commit)),
    list: () => inTurn(async () => ({ commits: records.map(({ commit }) => commit), damaged })),
    remove: base =>
      inTurn(async () => {
        for (const record of records.filter(({ commit }) => isSameBase(commit.base, base)))
          await remove(record)
      }),
    close: () => inTurn.end(disk.close),
  }
}

/** Runs one piece of work after the other, until the end. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve()
  let ended = false
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (ended) return Promise.reject(new SpoolError('unavailable', 'the spool is closed'))
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
  async function end(work: () => Promise<void>): Promise<void> {
    if (ended) return
    const result = inTurn(work)
    ended = true
    await result
  }
  return Object.assign(inTurn, { end })
}

/** The header last: as long as it tells that the record is gone, and how long it was, a restart can go on. */
async function wipe(disk: SpoolDisk, { offset, length }: Extent): Promise<void> {
  if (length > headerBytes) await disk.write(Buffer.alloc(length - headerBytes), offset + headerBytes)
  await disk.write(Buffer.alloc(Math.min(length, headerBytes)), offset)
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? 0 : extent.offset + extent.length
}

function isSameBase(left: Base, right: Base): boolean {
  return left.id === right.id && left.grantEpoch === right.grantEpoch && left.counter === right.counter
}

function spoolErrorFrom(cause: unknown): SpoolError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new SpoolError('full', `the disk of the data directory is full; free some space (${code})`, { cause })
    : new SpoolError('unavailable', `the spool cannot be written; check the disk (${code})`, { cause })
}
