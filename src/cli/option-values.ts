import { InvalidArgumentError } from 'commander'
import { parseDuration } from './time.ts'

/** How arguments and options are read. Each throws InvalidArgumentError, which commander reports with their name. */

const PORT_MAX = 65_535
/** The states that the broker stores; it derives the others when it is asked. */
const STORED_STATES = ['ACTIVE', 'REAUTH_REQUIRED', 'CONNECTION_MISCONFIGURED'] as const

export type StoredState = (typeof STORED_STATES)[number]

/** A provider's id; the account, which `watch` and the log write behind a slash, is an option. */
export function providerId(written: string): string {
  const slash = written.indexOf('/')
  if (slash < 0) return written
  const account = written.slice(slash + 1)
  throw new InvalidArgumentError(
    `The account is an option here: ${written.slice(0, slash)} --account ${account || 'ACCOUNT'}`,
  )
}

/** A duration as milliseconds, between two limits where they are given. */
export function duration({ min = 0, max = Number.MAX_SAFE_INTEGER, range = '' } = {}) {
  return (written: string): number => {
    const ms = written === '0' ? 0 : parseDuration(written)
    if (ms === undefined || ms < min || ms > max) {
      throw new InvalidArgumentError(`Expected a duration such as 30s, 15m, 24h or 90d${range}.`)
    }
    return ms
  }
}

/** A port; 0 takes a free one. */
export function port(written: string): number {
  const number = /^\d{1,5}$/.test(written) ? Number(written) : PORT_MAX + 1
  if (number > PORT_MAX) throw new InvalidArgumentError(`Expected a port from 0 to ${PORT_MAX}.`)
  return number
}

/** A stored state in either case, with `_` or `-`. */
export function storedState(written: string): StoredState {
  const normal = written.toUpperCase().replaceAll('-', '_')
  const state = STORED_STATES.find(state => state === normal)
  if (state === undefined) throw new InvalidArgumentError(`Expected one of ${STORED_STATES.join(', ')}.`)
  return state
}

/** A repeatable option. */
export function collect(written: string, earlier: readonly string[] = []): string[] {
  return [...earlier, written]
}

/** A repeatable option of scopes; one value may hold several with spaces between them (RFC 6749 section 3.3). */
export function collectScopes(written: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...written.split(/\s+/).filter(Boolean)]
}

/** A repeatable option `key=value`. */
export function collectVariables(
  written: string,
  earlier: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(written) ?? []
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('Expected key=value, such as shop=example.myshopify.com.')
  }
  return { ...earlier, [key]: value }
}
