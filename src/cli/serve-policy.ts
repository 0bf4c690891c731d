import { resolve } from 'node:path'
import type { Log } from '../broker/ports.ts'
import type { CallerConfig } from '../config/config.ts'
import type { ConfigParts } from '../config/load.ts'
import { type PolicyChange, policyFiles } from '../config/policy.ts'
import { createPolicyReload } from '../config/policy-reload.ts'
import { ConfigError, type Problem } from '../config/problem.ts'
import { type WatchTimes, watchFiles } from '../config/watch-files.ts'
import type { Written } from '../config/written.ts'

/** Problems in one line of the log; `config check` prints them all. */
const PROBLEMS_MAX = 20
/** Callers named in one line of the log. */
const NAMES_MAX = 50

/** How soon a policy is read again whose hashes did not come; doubles up to the longest. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 30_000

/** What keeping the policy current needs. */
export interface PolicyPorts {
  readonly parts: ConfigParts
  /** What the broker was started with. */
  readonly written: Written
  readonly callers: readonly CallerConfig[]
  /** Takes all callers at once, or throws and takes none. */
  readonly apply: (callers: readonly CallerConfig[], update: PolicyUpdate) => void
  readonly log: Log
  readonly times?: WatchTimes
}

/** Why the configuration is read again. */
export type Trigger = 'file' | 'SIGHUP'

/** What a new policy brings, and why it was read. */
export interface PolicyUpdate {
  readonly trigger: Trigger
  readonly change: PolicyChange
}

/** Keeps who may call what as the configuration says it. */
export interface LivePolicy {
  /** Reads the configuration again; resolves when what it says is in force, or was refused. Never rejects. */
  reload(trigger: Trigger): Promise<void>
  stop(): void
}

/**
 * Watches the configuration and takes each good version of its policy at once and whole. A broken one changes
 * nothing and is an error in the log; the last good one stays in force until a good one comes. One whose hashes did not
 * come, as when a secret manager is away, is tried again for as long as it takes.
 */
export function keepPolicyCurrent(ports: PolicyPorts): LivePolicy {
  const { parts, written, apply, log, times } = ports
  const { retryMs = RETRY_MIN_MS } = times ?? {}
  const source = createPolicyReload(parts, written)
  const own = written.file === undefined ? [] : [resolve(parts.cwd, written.file.name)]
  let callers = ports.callers
  let saidRestart = ''
  let isBroken = false
  let isStopped = false
  let retryAfterMs = retryMs
  let retry: NodeJS.Timeout | undefined
  let last = Promise.resolve()
  const watch = watchFiles([...own, ...policyFiles(written)], () => void reload('file'), times)

  // One after the other, so that the newest file is taken last.
  function reload(trigger: Trigger): Promise<void> {
    last = last.then(() => readOnce(trigger)).catch(error => refuse(error, trigger))
    return last
  }

  async function readOnce(trigger: Trigger): Promise<void> {
    clearTimeout(retry)
    const found = await source.read(callers)
    void watch.set([...own, ...found.files])
    const { change } = found
    if (change !== undefined) {
      apply(found.callers, { trigger, change })
      callers = found.callers
      log.info('Policy changed', { trigger, ...summary(change) })
      sayNobodyIsLeft(trigger)
    } else if (trigger === 'SIGHUP' || isBroken) {
      log.info('Configuration read again: the policy is the same', { trigger })
    }
    isBroken = false
    retryAfterMs = retryMs
    sayRestart(found.needsRestart)
  }

  function sayNobodyIsLeft(trigger: Trigger): void {
    if (callers.some(({ allow }) => allow.length > 0)) return
    const end = 'a broker that other machines reach, or whose operator token is off, does not start like this'
    log.warn(`No caller of the configuration may call anything any more; ${end}`, { trigger })
  }

  function sayRestart(keys: readonly string[]): void {
    const keysNow = keys.join()
    if (keysNow !== '' && keysNow !== saidRestart) {
      log.warn('Changes of the configuration that need a restart are not in force', { keys })
    }
    saidRestart = keysNow
  }

  function refuse(error: unknown, trigger: Trigger): void {
    isBroken = true
    const why =
      error instanceof ConfigError
        ? { problems: error.problems.slice(0, PROBLEMS_MAX).map(formatLine) }
        : { error }
    log.error('The configuration cannot be used: the last good policy stays in force', { trigger, ...why })
    if (error instanceof ConfigError && error.mayPass && !isStopped) retryLater(trigger)
  }

  function retryLater(trigger: Trigger): void {
    retry = setTimeout(() => void reload(trigger), retryAfterMs).unref()
    retryAfterMs = Math.min(2 * retryAfterMs, RETRY_MAX_MS)
  }

  function stop(): void {
    isStopped = true
    clearTimeout(retry)
    watch.close()
  }

  // What was changed while the broker started.
  if (own.length > 0) void reload('file')
  return { reload, stop }
}

/** A policy of thousands would make a line of thousands. */
function summary({ added, removed, changed }: PolicyChange): object {
  const some = (names: readonly string[]) =>
    names.length <= NAMES_MAX ? names : [...names.slice(0, NAMES_MAX), `and ${names.length - NAMES_MAX} more`]
  return { added: some(added), removed: some(removed), changed: some(changed) }
}

function formatLine(problem: Problem): string {
  return new ConfigError([problem]).message
}
