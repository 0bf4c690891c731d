import { readFileSync } from 'node:fs'

/** Bytes that a core dump of this process may have; undefined where that cannot be known. */
export function coreDumpLimit(): number | undefined {
  return processLimit('Max core file size')
}

/** The soft limit of this process by its name in `/proc/self/limits`; undefined where there is none such. */
export function processLimit(name: string): number | undefined {
  try {
    const line = readFileSync('/proc/self/limits', 'utf8')
      .split('\n')
      .find(text => text.startsWith(name))
    const [soft] = line?.slice(name.length).trim().split(/\s+/) ?? []
    if (soft === undefined) return undefined
    return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    return undefined
  }
}
