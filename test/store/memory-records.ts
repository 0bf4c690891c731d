import { checkLimit } from '../../src/store/page-limit.ts'
import type { KeyRow, Release, ReleaseRow } from '../../src/store/record-rows.ts'
import type { RevocationRow } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import {
  addEntry,
  compareBytes,
  insertRevocations,
  type MemoryTables,
  type Synchronous,
} from './memory-tables.ts'

type Records = Synchronous<
  Pick<
    Store,
    | 'addRevocation'
    | 'replaceRevocationTokens'
    | 'listDueRevocations'
    | 'rescheduleRevocation'
    | 'removeRevocation'
    | 'listKeys'
    | 'insertKey'
    | 'hasSealedData'
    | 'recordReleases'
    | 'listReleases'
    | 'clockMark'
    | 'raiseClockMark'
    | 'setClockMark'
  >
>

/** The revocations, keys, releases and the clock mark of `MemoryStore`. */
export function memoryRecords(tables: MemoryTables): Records {
  const { connections, revocations, consents, keys, releases } = tables

  function changeRevocation(id: string, changes: (row: RevocationRow) => Partial<RevocationRow>): boolean {
    const row = revocations.get(id)
    if (row !== undefined) revocations.set(id, { ...row, ...changes(row) })
    return row !== undefined
  }

  return {
    addRevocation: revocation => insertRevocations(tables, [revocation]),
    replaceRevocationTokens(id, { sealedAccessToken, sealedRefreshToken }) {
      changeRevocation(id, row => ({
        sealedAccessToken: sealedAccessToken ?? row.sealedAccessToken,
        sealedRefreshToken: sealedRefreshToken ?? row.sealedRefreshToken,
      }))
    },
    listDueRevocations: (before, limit) =>
      [...revocations.values()]
        .filter(({ nextTryAt }) => nextTryAt <= before)
        .sort((left, right) => left.nextTryAt - right.nextTryAt || compareBytes(left.id, right.id))
        .slice(0, checkLimit(limit)),
    rescheduleRevocation: (id, nextTryAt, tries) => changeRevocation(id, () => ({ nextTryAt, tries })),
    removeRevocation(id, entry) {
      if (revocations.delete(id)) addEntry(tables, entry)
    },
    listKeys: () =>
      [...keys.values()].sort(
        (left, right) => left.createdAt - right.createdAt || compareBytes(left.kid, right.kid),
      ),
    insertKey(key) {
      for (const stored of keys.values()) if (areRivals(stored, key)) throw new Error('the key has a rival')
      keys.set(key.kid, key)
    },
    hasSealedData() {
      if (connections.size > 0 || revocations.size > 0) return true
      return [...consents.values()].some(
        ({ sealedVerifier, sealedCode }) => sealedVerifier !== undefined || sealedCode !== undefined,
      )
    },
    recordReleases(batch) {
      if (batch.some(({ count }) => count < 1)) throw new Error('a release counts at least once')
      for (const release of batch) {
        const key = `${release.caller}\n${release.connectionId}\n${release.version}`
        if (!releases.has(key)) addEntry(tables, release.entry)
        releases.set(key, addedRelease(releases.get(key), release))
      }
    },
    listReleases: ({ version, fingerprint, visible = () => true, limit }) =>
      [...releases.values()]
        .filter(release => version === undefined || release.version === version)
        .filter(release => fingerprint === undefined || release.fingerprint === fingerprint)
        .filter(visible)
        .sort((left, right) => right.lastAt - left.lastAt || right.firstAt - left.firstAt)
        .slice(0, checkLimit(limit)),
    clockMark: () => tables.clockMark,
    setClockMark(now) {
      tables.clockMark = now
    },
    raiseClockMark(now) {
      tables.clockMark = Math.max(tables.clockMark ?? now, now)
    },
  }
}

/** What the indexes of the table of keys forbid. */
function areRivals(stored: KeyRow, key: KeyRow): boolean {
  if (stored.kid === key.kid) return true
  if (stored.purpose !== key.purpose) return false
  return key.purpose === 'fingerprint' || (stored.state === 'primary' && key.state === 'primary')
}

function addedRelease(stored: ReleaseRow | undefined, { at, entry: _, ...release }: Release): ReleaseRow {
  if (stored === undefined) return { ...release, firstAt: at, lastAt: at }
  return {
    ...stored,
    count: stored.count + release.count,
    firstAt: Math.min(stored.firstAt, at),
    lastAt: Math.max(stored.lastAt, at),
  }
}
