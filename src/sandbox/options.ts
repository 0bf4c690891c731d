import type { Account } from './accounts.ts'
import { type Behavior, type BehaviorPatch, parseBehaviorPatch } from './behavior.ts'
import type { ClientInput } from './clients.ts'
import type { Dialect } from './dialect.ts'
import { SandboxError } from './errors.ts'

/** How a sandbox starts, and what a reset brings back. */
export interface SandboxOptions {
  /** Clients beside `sandbox-client`. Default: none. */
  readonly clients?: readonly ClientInput[]
  /** Accounts beside the dialect's own, by dialect. Default: none. */
  readonly accounts?: Readonly<Record<string, readonly Account[]>>
  /** What differs from the dialect's own behaviour, by dialect. Default: nothing. */
  readonly behavior?: Readonly<Record<string, BehaviorPatch>>
  /** Allows every consent at once, without a page. Default: false. A dialect's `behavior` wins over it. */
  readonly autoApprove?: boolean
  /** Shows every consent page under a second origin. Default: false. A dialect's `behavior` wins over it. */
  readonly detour?: boolean
}

/** @throws SandboxError `invalid` for a field of the behaviour that is malformed */
export function initialBehavior(dialect: Dialect, options: SandboxOptions): Behavior {
  return {
    ...dialect.behavior,
    ...(options.autoApprove && { consent: 'allow' as const }),
    ...(options.detour && { detour: true }),
    ...parseBehaviorPatch(options.behavior?.[dialect.id] ?? {}),
  }
}

/** @throws SandboxError `not_found` if an option names a dialect that is not there */
export function requireKnownDialects(options: SandboxOptions, dialects: readonly Dialect[]): void {
  const known = dialects.map(({ id }) => id)
  const named = [...Object.keys(options.accounts ?? {}), ...Object.keys(options.behavior ?? {})]
  const unknown = named.find(id => !known.includes(id))
  if (unknown === undefined) return
  throw new SandboxError('not_found', `no dialect "${unknown}"; there are ${known.join(', ')}`)
}
