import { SandboxError } from './errors.ts'
import type { Parameters } from './request.ts'

/** `delayBeforeMs` as the HTTP control API spells it: `delay_before_ms`. */
export function wireName(name: string): string {
  return name.replace(
    /([a-z])([A-Z])/g,
    (_, before: string, after: string) => before + after.toLowerCase().padStart(2, '_'),
  )
}

/** A record with its own names as the wire spells them; what is below them is left alone. */
export function toWire(record: object): Parameters {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [wireName(name), value]))
}

/**
 * A record from the wire under our names.
 *
 * @throws SandboxError `invalid` for a name that is not in snake_case
 */
export function fromWire(record: Parameters): Parameters {
  const entries = Object.entries(record).map(([name, value]) => {
    if (/[A-Z]/.test(name)) throw new SandboxError('invalid', `"${name}": names are in snake_case here`)
    return [name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]
  })
  return Object.fromEntries(entries)
}
