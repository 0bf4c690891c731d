import { Document, visit } from 'yaml'
import { callerSchema } from '../config/callers.ts'
import type { AllowRule } from '../config/config.ts'
import { formatPath } from '../config/problem.ts'
import { withBuiltInRoles } from '../config/roles.ts'
import { checkShape } from '../config/shape.ts'
import { usageError } from './exit.ts'

/** One entry of `callers:` as the configuration spells it. */
export interface CallerEntry {
  readonly name: string
  readonly token_sha256: string
  /** RFC 3339. */
  readonly expires: string
  readonly allow: readonly RuleEntry[]
}

/** A rule as the configuration spells it: methods, roles or both. */
export type RuleEntry = Pick<AllowRule, 'providers' | 'accounts'> &
  Partial<Pick<AllowRule, 'methods' | 'roles'>>

/**
 * Reads `PROVIDER[:ACCOUNT]=METHOD,METHOD`; the name of a built-in role stands for its methods. Without an account it is the system-level credential, as
 * everywhere on the command line; `pinterest:*=GetStatus` means every account.
 *
 * @throws CliError
 */
export function parseAllow(written: string): RuleEntry {
  const [, provider, account = '', methods] = /^([^:=]+)(?::(.*))?=([^=]+)$/s.exec(written) ?? []
  if (provider === undefined || methods === undefined) {
    throw usageError(
      `--allow ${written}: expected PROVIDER[:ACCOUNT]=METHOD,METHOD such as pinterest=GetAccessToken`,
    )
  }
  const words = methods.split(',').map(word => word.trim())
  const builtIn = withBuiltInRoles([])
  const roles = words.filter(word => builtIn.has(word))
  const names = words.filter(word => !builtIn.has(word))
  return {
    providers: [provider],
    accounts: [account],
    ...(names.length > 0 && { methods: names }),
    ...(roles.length > 0 && { roles }),
  }
}

/**
 * Checks an entry with the very schema that `serve` reads it with.
 *
 * @throws CliError that names everything that is wrong
 */
export function requireValid(entry: CallerEntry): void {
  const checked = checkShape(callerSchema, entry)
  if ('value' in checked) return
  throw usageError(checked.misfits.map(({ path, message }) => `${formatPath(path)}: ${message}`).join('; '))
}

/** The entry as the lines to put under `callers:`, rules on one line each. */
export function entryToYaml(entry: CallerEntry): string {
  const document = new Document([entry])
  visit(document, {
    Map: (_, map) => {
      if (map.has('accounts')) map.flow = true
    },
  })
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd()
}
