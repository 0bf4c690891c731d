import { isIP } from 'node:net'
import type { AuditEvent, Denial } from './audit.ts'

/** The first refusal of a kind is recorded at once, those of the same kind within that time as one count. */
const SAMPLE_MS = 60_000
/**
 * Addresses of strangers with what they were refused that are told apart at once; beyond it all others are one kind.
 * What an attacker can write is bounded by it.
 */
const STRANGERS_KINDS_MAX = 500
/** Kinds of one caller: enough names to see what it tries out, and a small number of records a minute. */
const CALLER_KINDS_MAX = 50
/** Kinds of all callers together; beyond it, as beyond that of one caller, those of a caller are one for each reason. */
const CALLERS_KINDS_MAX = 2_000
/** The method of what is too much to be told apart. */
const OTHERS = 'others'
/** Of a name in memory; longer than any valid one. A request may bring a megabyte. */
const NAME_CHARS_MAX = 257

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
 * Creates the sampling of refusals. A kind is who, or from where (without the port), what, and why; of a caller that
 * lacks a right it is also the connection, so that the audit shows what it has tried out. Of others the connection is
 * recorded of the first one only.
 */
export function createDenials(
  note: (event: AuditEvent) => void,
  schedule: (ms: number, callback: () => void) => () => void,
): Denials {
  const samples = new Map<string, Sample>()
  /** How many kinds are told apart, by caller; under no name those of strangers. */
  const kinds = new Map<string, number>()
  let planned = false

  function flush(): void {
    planned = false
    for (const sample of samples.values()) if (sample.repeats > 0) note(summaryOf(sample))
    samples.clear()
    kinds.clear()
  }

  /** Whether one more kind can be told apart; strangers do not take the room of callers. */
  function hasRoomFor(who: string): boolean {
    const own = kinds.get(who) ?? 0
    if (who === STRANGERS) return own < STRANGERS_KINDS_MAX
    return own < CALLER_KINDS_MAX && samples.size - (kinds.get(STRANGERS) ?? 0) < CALLERS_KINDS_MAX
  }

  return {
    flush,
    record(given) {
      const { caller, reason } = given
      const who = caller?.name ?? STRANGERS
      const peer = (given.origin ?? caller?.origin)?.peer
      const own = kindOf(given, peer)
      const isOther = !samples.has(own) && !hasRoomFor(who)
      const kind = isOther ? otherKindOf(given) : own
      const known = samples.get(kind)
      if (known !== undefined) {
        known.repeats++
        return
      }
      const first = isOther ? { reason, method: OTHERS, caller } : given
      samples.set(kind, { denial: withoutCall(first), peer: isOther ? undefined : peer, repeats: 0 })
      if (!isOther) kinds.set(who, (kinds.get(who) ?? 0) + 1)
      note(eventOf(first))
      if (planned) return
      planned = true
      schedule(SAMPLE_MS, flush)
    },
  }
}

/** No caller has this name. */
const STRANGERS = ''

/** Which connection it was is kept where all of a kind are about it. */
function withoutCall({ reason, method, caller, ...denial }: Denial): Denial {
  const who = caller && { ...caller, origin: undefined }
  return { reason, method, caller: who, ...(isTrial({ reason, caller }) ? connectionOf(denial) : {}) }
}

function kindOf(denial: Denial, peer = ''): string {
  const { reason, method, caller } = denial
  const { provider, account } = isTrial(denial) ? connectionOf(denial) : {}
  const who = caller === undefined ? ['', addressOf(peer)] : [caller.name]
  return JSON.stringify([reason, method, ...who, provider, account])
}

/** Browsers have no port: the end of their IPv6 address is none. */
function addressOf(peer: string): string {
  return isIP(peer) === 0 ? peer.replace(/:\d+$/, '') : peer
}

function otherKindOf({ reason, caller }: Denial): string {
  return JSON.stringify(caller === undefined ? [OTHERS] : [OTHERS, reason, caller.name])
}

/** Whether it tells what somebody tries out who has no right to it. */
function isTrial({ reason, caller }: Pick<Denial, 'reason' | 'caller'>): boolean {
  return caller !== undefined && reason === 'ACCESS_DENIED'
}

function connectionOf({ provider, account }: Pick<Denial, 'provider' | 'account'>) {
  return { provider: shortCopy(provider), account: shortCopy(account) }
}

/** A part of a string keeps the whole in memory, a copy does not. */
function shortCopy(name: string | undefined): string | undefined {
  return name && Buffer.from(name.slice(0, NAME_CHARS_MAX)).toString()
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

/** Those that came after the first one had request ids of their own. */
function summaryOf({ denial, peer, repeats: count }: Sample): AuditEvent {
  const { reason, method, caller, provider, account } = denial
  const who = { name: caller?.name ?? '', authentication: caller?.authentication ?? '' }
  const connection = provider === undefined ? {} : { provider, account }
  const details = { method, repeats: 'true' }
  return {
    event: 'CALL_DENIED',
    outcome: 'DENIED',
    reason,
    caller: who,
    peer,
    ...connection,
    count,
    details,
  }
}
