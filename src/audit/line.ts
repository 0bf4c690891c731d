import type { AuditRecord } from './copy.ts'

/**
 * A record as one line of NDJSON, without the line's end: times as RFC 3339, what is empty left out. Everything that
 * some reader could take for the end of a line, or that a terminal would obey, is escaped.
 */
export function lineOf({ sequence, time, event, ...rest }: AuditRecord): string {
  const present = Object.entries(rest).filter(([key, value]) => isPresent(key, value, rest.provider))
  const line = {
    type: 'audit',
    sequence,
    time: new Date(time).toISOString(),
    event,
    ...Object.fromEntries(present),
  }
  return JSON.stringify(line).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)
}

function isPresent(key: string, value: unknown, provider: string): boolean {
  // "" is an account, the system-level credential, wherever there is a provider.
  if (key === 'account') return provider !== ''
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return value !== ''
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
