import type { Audit, AuditEntry, TokenRelease } from './audit.ts'
import { entryOf } from './entry.ts'
import { createGroupWriter } from './group-writer.ts'

/** Repeats are written at least this often while there are any. */
const SUMMARY_INTERVAL_MS = 60_000
/** Repeats of one write: some 10 ms, in which nothing else happens. */
const SUMMARY_BATCH_MAX = 500
/** How many (caller, version) pairs are remembered as recorded; forgetting one costs one more write. */
const REMEMBERED_MAX = 100_000

/** A release as the store takes it. */
export interface CountedRelease extends Omit<TokenRelease, 'origin' | 'keyId'> {
  readonly at: number
  readonly count: number
  /** What is recorded if this caller has not had this version yet. */
  readonly entry: AuditEntry
}

/** Hand-outs after the first one. */
interface Repeats {
  /** The first of them. */
  readonly release: TokenRelease
  /** When the last one was. */
  at: number
  count: number
}

/** What recording releases needs. */
export interface ReleasePorts {
  /** Writes a batch durably, or rejects having written nothing. */
  readonly write: (releases: readonly CountedRelease[]) => Promise<void>
  readonly now: () => number
  readonly schedule: (ms: number, callback: () => void) => () => void
}

/**
 * Creates the audit of releases. First releases that arrive together share one commit; repeats wait for the
 * next summary, and a process that dies loses at most the counts of one interval, never a first release.
 */
export function createReleases({
  write,
  now,
  schedule,
}: ReleasePorts): Pick<Audit, 'recordRelease' | 'flush'> {
  const recorded = new Set<string>()
  let repeats = new Map<string, Repeats>()
  const recordFirst = createGroupWriter({ write, schedule })
  let summaryPlanned = false
  /** One summary at a time: who waits for one waits for those before it. */
  let summaries = Promise.resolve()

  function countRepeat(key: string, release: TokenRelease): void {
    const known = repeats.get(key)
    if (known === undefined) {
      // Where it came from would keep the whole call in memory until the summary is written.
      repeats.set(key, { release: { ...release, origin: undefined }, at: now(), count: 1 })
    } else {
      known.at = now()
      known.count++
    }
    planSummary()
  }

  function planSummary(): void {
    if (summaryPlanned) return
    summaryPlanned = true
    schedule(SUMMARY_INTERVAL_MS, () => void flush().catch(() => {}))
  }

  function flush(): Promise<void> {
    summaries = summaries.catch(() => {}).then(writeSummary)
    return summaries
  }

  async function writeSummary(): Promise<void> {
    summaryPlanned = false
    const summary = [...repeats]
    repeats = new Map()
    for (let start = 0; start < summary.length; start += SUMMARY_BATCH_MAX) {
      if (start > 0) await new Promise<void>(resolve => schedule(0, resolve))
      const batch = summary.slice(start, start + SUMMARY_BATCH_MAX)
      try {
        await write(batch.map(([, { release, at, count }]) => counted(release, at, count)))
      } catch (error) {
        keep(summary.slice(start))
        throw error
      }
    }
  }

  /** The counts of a summary that could not be written belong to the next one. */
  function keep(summary: Iterable<readonly [string, Repeats]>): void {
    for (const [key, earlier] of summary) {
      const later = repeats.get(key)
      if (later === undefined) repeats.set(key, earlier)
      else later.count += earlier.count
    }
    planSummary()
  }

  return {
    flush,
    async recordRelease(release) {
      const key = `${release.connectionId}\n${release.version}\n${release.caller}`
      if (recorded.has(key)) return countRepeat(key, release)
      await recordFirst(counted(release, now(), 1))
      if (recorded.size >= REMEMBERED_MAX) recorded.clear()
      recorded.add(key)
    },
  }
}

function counted(release: TokenRelease, at: number, count: number): CountedRelease {
  const { caller: name, authentication, origin, keyId, ...rest } = release
  const caller = { name, authentication, origin }
  const entry = entryOf({ event: 'TOKEN_RELEASED', caller, keyId, ...rest }, at)
  return { caller: name, authentication, ...rest, at, count, entry }
}
