import type { Clock, Log } from '../broker/ports.ts'
import type { Expiry } from '../config/expiries.ts'

const DAY_MS = 86_400_000
/** Days before an end at which it is said, the nearest first. */
const WARNING_DAYS = [1, 7, 14] as const
const LOOK_MS = 3_600_000

/**
 * Says in the log that something is about to end: now, and when 14 days, 7 days and 1 day are left, and that it
 * has ended.
 *
 * @param current what there is at the moment
 * @returns stops it
 */
export function watchExpiries(
  current: () => Promise<readonly Expiry[]>,
  log: Pick<Log, 'warn' | 'error'>,
  { now, schedule }: Pick<Clock, 'now' | 'schedule'>,
): () => void {
  let said = new Map<string, number>()
  let cancel = () => {}
  let isStopped = false

  async function look(): Promise<void> {
    const stages = new Map<string, number>()
    for (const expiry of await current()) {
      const stage = stageOf(expiry, now())
      if (stage === undefined) continue
      const key = `${expiry.what} ${expiry.expiresAtMs}`
      stages.set(key, stage)
      if (said.get(key) !== stage) say(expiry, stage)
    }
    said = stages
    if (!isStopped) cancel = schedule(LOOK_MS, () => void look())
  }

  function say({ what, expiresAtMs, advice }: Expiry, stage: number): void {
    const fields = { what, expireTime: new Date(expiresAtMs).toISOString(), advice }
    if (stage === 0) log.error('Expired', fields)
    else log.warn(`Expires within ${stage === 1 ? 'a day' : `${stage} days`}`, fields)
  }

  void look()
  return () => {
    isStopped = true
    cancel()
  }
}

/** The days of the nearest warning; 0 if it is over, undefined if there is time. */
function stageOf({ expiresAtMs }: Expiry, now: number): number | undefined {
  if (now >= expiresAtMs) return 0
  return WARNING_DAYS.find(days => expiresAtMs - now <= days * DAY_MS)
}
