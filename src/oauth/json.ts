import type { Secret } from '../secret.ts'

/**
 * Parses an answer's body: JSON, or form fields read as flat JSON (GitHub answers so).
 *
 * @returns `undefined` for a body that is neither
 */
export function readBody(body: Secret): unknown {
  const text = body.expose().trim()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return readForm(text)
  }
}

/** A form is one line of `name=value`; anything with markup or white space is not one. */
function readForm(text: string): unknown {
  return /^[\w.~%+-]+=[^\s<>]*$/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** The value at an RFC 6901 pointer; `undefined` where it leads nowhere. Own properties only. */
export function valueAt(value: unknown, pointer: string): unknown {
  let current = value
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Record<string, unknown>)[key]
  }
  return current
}

/** The string or number at a pointer as text without control characters; empty if there is none. */
export function textAt(value: unknown, pointer: string, lengthMax: number): string {
  const found = valueAt(value, pointer)
  if (typeof found !== 'string' && typeof found !== 'number') return ''
  return withoutControls(String(found)).slice(0, lengthMax)
}

/** Text without control characters: it may be shown on a terminal. */
export function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, '')
}

/** Milliseconds since the epoch of an ISO 8601 time; `undefined` if it is none. */
export function parseTime(text: string): number | undefined {
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
