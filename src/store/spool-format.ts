import { createHash } from 'node:crypto'
import type { SpooledCommit } from './spool.ts'

/**
 * A record fills whole pages of this size, that of most file systems, so that writing or wiping one never
 * touches the bytes of another. A page of zeros is free.
 */
export const pageBytes = 4_096

/** The first byte is in no UTF-8 text, so that no page of a payload begins like a record; the last is the format. */
const magic = Buffer.from([0xff, 0x53, 0x50, 0x01])

/** Four letters each: no flipped bit makes one of the other. */
const kept = Buffer.from('KEPT')
const gone = Buffer.from('GONE')

/** magic 4, state 4, length of the payload 4, 4 unused, SHA-256 of length and payload 32: all within one sector. */
export const headerBytes = 48
const stateAt = magic.length

/** A range of the spool, in bytes. */
export interface Extent {
  readonly offset: number
  readonly length: number
}

/** A commit, and where it stands. */
export interface SpoolRecord extends Extent {
  readonly commit: SpooledCommit
}

export interface SpoolScan {
  /** In the order in which they stand. */
  readonly records: readonly SpoolRecord[]
  /** What is to be wiped: removals that a crash cut short, and what cannot be read. */
  readonly remains: readonly Extent[]
  /** How many records cannot be read. */
  readonly damaged: number
}

/** The first write of a removal: after it the record is gone, whatever becomes of its payload. */
export function removalOf({ offset }: Extent): { readonly bytes: Uint8Array; readonly offset: number } {
  return { bytes: gone, offset: offset + stateAt }
}

/** The record of a commit: whole pages, filled up with zeros. */
export function recordFromCommit(commit: SpooledCommit): Buffer {
  const payload = payloadFromCommit(commit)
  const record = Buffer.alloc(extentLength(payload.length))
  magic.copy(record)
  kept.copy(record, stateAt)
  record.writeUInt32BE(payload.length, 8)
  checksumOf(payload).copy(record, 16)
  payload.copy(record, headerBytes)
  return record
}

/** Finds all records. What is damaged costs no other record, since each begins on a page of its own. */
export function scanRecords(content: Buffer): SpoolScan {
  const records: SpoolRecord[] = []
  const remains: Extent[] = []
  let damaged = 0
  let damageEnd = -1
  for (let offset = 0; offset < content.length; ) {
    const extent = extentAt(content, offset)
    const commit = extent && commitAt(content, extent)
    if (extent !== undefined && commit !== undefined) {
      records.push({ ...extent, commit })
      offset += extent.length
    } else if (extent !== undefined && isState(content, offset, gone)) {
      remains.push(extent)
      offset += extent.length
    } else {
      const page = { offset, length: Math.min(pageBytes, content.length - offset) }
      if (isUsed(content, page)) {
        // The pages of one broken record follow each other.
        if (offset > damageEnd || isRecord(content, offset)) damaged++
        damageEnd = Math.max(damageEnd, offset + (extent ?? page).length)
        remains.push(page)
      }
      offset += pageBytes
    }
  }
  return { records, remains, damaged }
}

/** The extent that the header there claims; `undefined` if there is no header, or an impossible one. */
function extentAt(content: Buffer, offset: number): Extent | undefined {
  if (!isRecord(content, offset) || content.length - offset < pageBytes) return undefined
  const length = extentLength(content.readUInt32BE(offset + 8))
  return offset + length <= content.length ? { offset, length } : undefined
}

function commitAt(content: Buffer, { offset }: Extent): SpooledCommit | undefined {
  if (!isState(content, offset, kept)) return undefined
  const start = offset + headerBytes
  const payload = content.subarray(start, start + content.readUInt32BE(offset + 8))
  if (!checksumOf(payload).equals(content.subarray(offset + 16, start))) return undefined
  try {
    return commitFromPayload(payload)
  } catch {
    return undefined
  }
}

/** JSON, with what is sealed in base64. */
function payloadFromCommit({ outcome, ...commit }: SpooledCommit): Buffer {
  const sealed = Object.entries(outcome).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  ])
  return Buffer.from(JSON.stringify({ ...commit, outcome: Object.fromEntries(sealed) }))
}

function commitFromPayload(payload: Buffer): SpooledCommit {
  const { outcome, ...commit } = JSON.parse(payload.toString())
  const sealed = Object.entries<unknown>(outcome).map(([name, value]) => [
    name,
    name.startsWith('sealed') ? Buffer.from(String(value), 'base64') : value,
  ])
  return { ...commit, outcome: Object.fromEntries(sealed) }
}

function isRecord(content: Buffer, offset: number): boolean {
  return content.subarray(offset, offset + magic.length).equals(magic)
}

function isState(content: Buffer, offset: number, state: Buffer): boolean {
  return content.subarray(offset + stateAt, offset + stateAt + state.length).equals(state)
}

function isUsed(content: Buffer, { offset, length }: Extent): boolean {
  return !content.subarray(offset, offset + length).equals(Buffer.alloc(length))
}

function extentLength(payloadBytes: number): number {
  return Math.ceil((headerBytes + payloadBytes) / pageBytes) * pageBytes
}

function checksumOf(payload: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(payload.length)
  return createHash('sha256').update(length).update(payload).digest()
}
