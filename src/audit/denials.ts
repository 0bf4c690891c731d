import type { AuditEvent, Denial } from './audit.ts'

/** The first refusal of a kind is recorded at once, those of the same kind within that time as one count. */
const SAMPLE_MS = 60_000
/**
 * Kinds told apart at once, of strangers and of known callers each; beyond it all others are one kind. What an attacker
 * can write is bounded by it, and strangers cannot hide what a caller is refused.
 */
const KINDS_MAX = 500
/** The method of what is too much to be told apart. */
const OTHERS = 'others'

interface Sample {
  /** Without what would keep the call in memory. */
  readonly denial: Denial
  /** Read while the call was there. */
  readonly peer?: string
  repeats: number
}

/** Samples refusals: whoever floods the broker must not flood its audit. */
export interface Denials {
  record(denial: Denial): void
  /** Records what is only counted so far. */
  flush(): void
}

/**
 * Creates the sampling of refusals. A kind is who, from where (without the port), what, and why; which connection it
 * was about is recorded of the first one only.
 */
export function createDenials(
  note: (event: AuditEvent) => void,
  schedule: (ms: number, callback: () => void) => () => void,
): Denials {
  const strangers = new Map<string, Sample>()
  const callers = new Map<string, Sample>()
  let planned = false

  function flush(): void {
    planned = false
    for (const samples of [strangers, callers]) {
      for (const sample of samples.values()) if (sample.repeats > 0) note(summaryOf(sample))
      samples.clear()
    }
  }

  return {
    flush,
    record(denial) {
      const peer = (denial.origin ?? denial.caller?.origin)?.peer
      const samples = denial.caller === undefined ? strangers : callers
      const own = kindOf(denial, peer)
      const isOther = !samples.has(own) && samples.size >= KINDS_MAX
      const kind = isOther ? OTHERS : own
      const known = samples.get(kind)
      if (known !== undefined) {
        known.repeats++
        return
      }
      const first = isOther ? { reason: denial.reason, method: OTHERS } : denial
      samples.set(kind, { denial: withoutOrigin(first), peer: isOther ? undefined : peer, repeats: 0 })
      note(eventOf(first))
      if (planned) return
      planned = true
      schedule(SAMPLE_MS, flush)
    },
  }
}

function withoutOrigin({ reason, method, caller }: Denial): Denial {
  return { reason, method, caller: caller && { ...caller, origin: undefined } }
}

function kindOf({ reason, method, caller }: Denial, peer = ''): string {
  return JSON.stringify([reason, method, caller?.name ?? peer.replace(/:\d+$/, '')])
}

function eventOf({ reason, method, caller, origin = caller?.origin, provider, account }: Denial): AuditEvent {
  const who = { name: caller?.name ?? '', authentication: caller?.authentication ?? '', origin }
  return {
    event: 'CALL_DENIED',
    outcome: 'DENIED',
    reason,
    caller: who,
    provider,
    account,
    details: { method },
  }
}

/** Those that came after the first one had request ids and connections of their own. */
function summaryOf({ denial: { reason, method, caller }, peer, repeats: count }: Sample): AuditEvent {
  const who = { name: caller?.name ?? '', authentication: caller?.authentication ?? '' }
  const details = { method, repeats: 'true' }
  return { event: 'CALL_DENIED', outcome: 'DENIED', reason, caller: who, peer, count, details }
}
