import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Data, isData } from '../providers/merge.ts'
import { checkCallers } from './caller-conflicts.ts'
import { readCallers } from './callers.ts'
import type { CallerConfig } from './config.ts'
import { deepFreeze } from './freeze.ts'
import type { ConfigParts } from './load.ts'
import { authoritiesFile } from './named-files.ts'
import { readRoles, readRules } from './policy-rules.ts'
import { type ConfigPath, formatPath } from './problem.ts'
import { checkCertificates } from './reachable.ts'
import { createSecretReader } from './secret-source.ts'
import { orRefuse, type Written } from './written.ts'

/** The keys that change while the broker runs; every other one needs a restart. */
const LIVE_KEYS: readonly string[] = ['roles', 'callers']
/** Keys whose own keys are named one by one. */
const NESTED_KEYS: readonly string[] = ['listen', 'providers']

/**
 * Completes who may call what, with the hashes of tokens read anew. Nothing else that the configuration names is
 * read: a secret manager that is away does not keep a right from being taken. Nor does it that nobody is left.
 *
 * @throws ConfigError
 */
export async function completePolicy(written: Written, parts: ConfigParts): Promise<readonly CallerConfig[]> {
  const { config, folder } = written
  const read = { ...parts, folder }
  const callers = await orRefuse(written, report => {
    checkCertificates(config, report)
    const readSecret = createSecretReader(read)
    return readCallers(config.callers, readRoles(config.roles), { ...read, readSecret, report })
  })
  return deepFreeze(callers)
}

/** A caller without what it is known by. */
export type CallerRules = Pick<CallerConfig, 'name' | 'allow'>

/**
 * The rules of all callers, in the order of the configuration. Nothing that it names is read.
 *
 * @throws ConfigError
 */
export async function rulesOf(written: Written): Promise<CallerRules[]> {
  const { callers, roles } = written.config
  return orRefuse(written, report => {
    checkCallers(callers, [], report)
    const known = readRoles(roles)
    return callers.map(({ name, allow }, index) => {
      return { name, allow: readRules(allow, known, ['callers', index, 'allow'], report) }
    })
  })
}

/**
 * Absolute paths of the files, beside the configuration's own, that are read together with it: hashes of callers' tokens,
 * and the authorities of the issuers' servers.
 */
export function policyFiles({ config, folder }: Written): string[] {
  const hashes = config.callers
    .flatMap(({ token_sha256 }) => token_sha256 ?? [])
    .flatMap(hash => (typeof hash === 'string' ? [] : (hash.file ?? [])))
  const authorities = config.callers.flatMap(({ jwt }) => authoritiesFile(jwt?.ca) ?? [])
  return [...new Set([...hashes, ...authorities].map(file => resolve(folder, file)))]
}

/** What differs between two configurations and counts only after a restart, in the order of the alphabet. */
export function needsRestart(before: Data, now: Data): string[] {
  return differences(before, now, [])
    .filter(path => !LIVE_KEYS.includes(String(path[0])))
    .map(formatPath)
    .sort()
}

function differences(before: Data, now: Data, path: ConfigPath): ConfigPath[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(now)])
  return [...keys].flatMap((key): ConfigPath[] => {
    const [a, b] = [before[key], now[key]]
    if (isDeepStrictEqual(a, b)) return []
    const below = path.length === 0 && NESTED_KEYS.includes(key)
    const nested = below && (isData(a) || isData(b))
    return nested ? differences(isData(a) ? a : {}, isData(b) ? b : {}, [key]) : [[...path, key]]
  })
}

/** How the callers of two configurations differ, by name. */
export interface PolicyChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Whose rules, limit, proof, or place among those known by JWTs are others. */
  readonly changed: readonly string[]
}

/**
 * How two lists of callers differ. Their order counts among those that are known by JWTs: a token that fits several is the
 * first one's.
 *
 * @returns undefined if nothing differs
 */
export function policyChange(
  before: readonly CallerConfig[],
  now: readonly CallerConfig[],
): PolicyChange | undefined {
  const [old, current] = [byName(before), byName(now)]
  const added = [...current.keys()].filter(name => !old.has(name))
  const removed = [...old.keys()].filter(name => !current.has(name))
  const moved = movedByJwt(before, now)
  const changed = [...current].flatMap(([name, caller]) => {
    const other = old.get(name)
    if (other === undefined) return []
    return moved.has(name) || !isDeepStrictEqual(other, caller) ? [name] : []
  })
  const differs = added.length + removed.length + changed.length > 0
  return differs ? { added, removed, changed } : undefined
}

/**
 * Names who may call what, 16 hex digits: two policies that differ have two names. Tells nothing of tokens, of which only
 * hashes go into it.
 */
export function policyDigest(callers: readonly CallerConfig[]): string {
  const text = JSON.stringify(callers, (_, value) => (value instanceof Map ? [...value] : value))
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Those known by JWTs before and now whose places among one another have changed. */
function movedByJwt(before: readonly CallerConfig[], now: readonly CallerConfig[]): ReadonlySet<string> {
  const [old, current] = [namesByJwt(before), namesByJwt(now)]
  const [wasThere, isThere] = [new Set(old), new Set(current)]
  const ranks = old.filter(name => isThere.has(name))
  const stayed = current.filter(name => wasThere.has(name))
  return new Set(stayed.filter((name, index) => ranks[index] !== name))
}

function namesByJwt(callers: readonly CallerConfig[]): string[] {
  return callers.filter(({ proof }) => proof.kind === 'jwt').map(({ name }) => name)
}

function byName(callers: readonly CallerConfig[]): ReadonlyMap<string, CallerConfig> {
  return new Map(callers.map(caller => [caller.name, caller]))
}
