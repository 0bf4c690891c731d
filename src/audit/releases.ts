import { type Audit, AuditError, type TokenRelease } from './audit.ts'

/** Repeats are written at least this often while there are any. */
const SUMMARY_INTERVAL_MS = 60_000
/** How many (caller, version) pairs are remembered as recorded; forgetting one costs one more write. */
const REMEMBERED_MAX = 100_000

type CountedRelease = TokenRelease & { readonly at: number; readonly count: number }

/** What the audit needs from outside. */
export interface AuditPorts {
  /** Writes a batch durably, or rejects having written nothing. */
  readonly write: (releases: readonly CountedRelease[]) => Promise<void>
  readonly now: () => number
  readonly schedule: (ms: number, callback: () => void) => () => void
}

/**
 * Creates the audit of releases. First releases that arrive together share one commit; repeats wait for the
 * next summary, and a process that dies loses at most the counts of one interval, never a first release.
 */
export function createAudit({ write, now, schedule }: AuditPorts): Audit {
  const recorded = new Set<string>()
  const repeats = new Map<string, CountedRelease>()
  let batch: CountedRelease[] = []
  let commit: Promise<void> | undefined
  let summaryPlanned = false

  function recordFirst(release: CountedRelease): Promise<void> {
    batch.push(release)
    commit ??= Promise.resolve().then(() => {
      const releases = batch
      batch = []
      commit = undefined
      return write(releases)
    })
    return commit
  }

  function countRepeat(key: string, release: CountedRelease): void {
    const counted = repeats.get(key)?.count ?? 0
    repeats.set(key, { ...release, count: counted + 1 })
    if (summaryPlanned) return
    summaryPlanned = true
    schedule(SUMMARY_INTERVAL_MS, () => void flush().catch(() => {}))
  }

  async function flush(): Promise<void> {
    summaryPlanned = false
    const summary = [...repeats]
    repeats.clear()
    if (summary.length === 0) return
    try {
      await write(summary.map(([, release]) => release))
    } catch (error) {
      // Keep the counts for the next summary.
      for (const [key, release] of summary) {
        repeats.set(key, { ...release, count: release.count + (repeats.get(key)?.count ?? 0) })
      }
      throw error
    }
  }

  return {
    flush,
    async recordRelease(release) {
      const key = `${release.connectionId}\n${release.version}\n${release.caller}`
      const counted = { ...release, at: now(), count: 1 }
      if (recorded.has(key)) return countRepeat(key, counted)
      try {
        await recordFirst(counted)
      } catch (cause) {
        throw new AuditError({ cause })
      }
      if (recorded.size >= REMEMBERED_MAX) recorded.clear()
      recorded.add(key)
    },
  }
}
