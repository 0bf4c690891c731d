import type { AuditEvent, AuditOutcome } from './audit.ts'

/** Refreshes that changed no state are written as one number for each provider and outcome this often. */
const COUNT_MS = 3_600_000

/** Counts what is too ordinary for a record of its own. */
export interface RefreshCounts {
  add(provider: string, outcome: AuditOutcome): void
  /** Records what is counted so far. */
  flush(): void
}

/** Creates the counters. A process that dies loses at most an hour of them, and no state change. */
export function createRefreshCounts(
  note: (event: AuditEvent) => void,
  schedule: (ms: number, callback: () => void) => () => void,
): RefreshCounts {
  const counts = new Map<string, AuditEvent & { readonly count: number }>()
  let planned = false

  function flush(): void {
    planned = false
    for (const event of counts.values()) note(event)
    counts.clear()
  }

  return {
    flush,
    add(provider, outcome) {
      const key = `${outcome} ${provider}`
      const count = (counts.get(key)?.count ?? 0) + 1
      counts.set(key, { event: 'REFRESHES_COUNTED', outcome, provider, count })
      if (planned) return
      planned = true
      schedule(COUNT_MS, flush)
    },
  }
}
