import type { CallerConfig } from './config.ts'
import type { ConfigParts } from './load.ts'
import { completePolicy, needsRestart, type PolicyChange, policyChange, policyFiles } from './policy.ts'
import { ConfigError } from './problem.ts'
import { readWritten, type Written } from './written.ts'

/** What a look at the configuration has found. */
export type Reloaded = {
  /** What differs from the start and counts only after a restart. */
  readonly needsRestart: readonly string[]
  /** As `policyFiles` names them. */
  readonly files: readonly string[]
} & (
  | { readonly callers: readonly CallerConfig[]; readonly change: PolicyChange }
  /** Everybody may what they may already. */
  | { readonly change?: undefined }
)

/** Reads who may call what from a configuration that may have changed. */
export interface PolicyReload {
  /**
   * Reads the configuration again, whole: one with a mistake does not change the policy. An explicit end of all
   * rights is none, although a broker that other machines reach would not start with it.
   *
   * @param current the callers in force
   * @throws ConfigError
   */
  read(current: readonly CallerConfig[]): Promise<Reloaded>
}

/** @param started what the broker was started with */
export function createPolicyReload(parts: ConfigParts, started: Written): PolicyReload {
  // A file that has vanished is trouble, not the wish to have none.
  const named = { ...parts, argvPath: started.file?.name ?? parts.argvPath }
  let last = started
  return {
    async read(current) {
      const written = await readWritten(named, last)
      last = written
      if (written.file !== undefined) refuseCutOff(written, written.file, current)
      const callers = await completePolicy(written, parts)
      const change = policyChange(current, callers)
      const found = { needsRestart: needsRestart(started.data, written.data), files: policyFiles(written) }
      return change === undefined ? found : { ...found, callers, change }
    },
  }
}

/**
 * Half of saving a file is an empty one, or one that ends early. It takes an explicit `callers: []` to take everybody's
 * rights.
 */
function refuseCutOff(
  { data, locate }: Written,
  { name, text }: { readonly name: string; readonly text: string },
  current: readonly CallerConfig[],
): void {
  if (text.trim() === '') throw new ConfigError([{ origin: name, path: '', message: 'is empty' }])
  if (data.callers !== undefined || current.length === 0) return
  throw new ConfigError([
    locate(['callers'], "is missing; to take everybody's rights on purpose, say callers: []"),
  ])
}
