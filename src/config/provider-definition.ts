import type { z } from 'zod'
import { type Definition, definitionSchema } from '../providers/definition.ts'
import { type Data, isData } from '../providers/merge.ts'
import { DefinitionError, PRODUCTION, resolveDefinition } from '../providers/resolve.ts'
import { checkAddress, checkEndpoint } from './base-url.ts'
import { attempt } from './mistake.ts'
import type { ConfigPath, Report } from './problem.ts'
import type { WrittenProvider } from './provider-schema.ts'
import { type Issue, sentence } from './sentences.ts'
import { misfits } from './shape.ts'

/** Where the short form writes a URL that the long form has elsewhere. */
const SHORT_FORM: Readonly<Record<string, string>> = {
  'authorize.url': 'authorize_url',
  'authorize.scope_separator': 'scope_separator',
  'operations.exchange.url': 'token_url',
  'operations.refresh.url': 'token_url',
  'operations.revoke.url': 'revoke_url',
  'operations.verify.url': 'verify_url',
  'refresh.replay': 'replay',
}

/**
 * Resolves what a provider says of its authorization server, and checks that every URL of it is safe to
 * send secrets to.
 *
 * @param report takes paths below the provider
 * @returns undefined after a report
 */
export async function readDefinition(
  id: string,
  {
    definition = id,
    environment = PRODUCTION,
    allow_networks: networks,
    endpoints_base: base,
  }: WrittenProvider,
  report: Report,
): Promise<Definition | undefined> {
  const locate = (path: ConfigPath) => ['definition', ...placeIn(definition, environment, path)]
  try {
    const resolved = resolveDefinition(definition, id, environment)
    for (const [path, url] of urlsOf(resolved)) {
      await attempt(report, locate(path), () => {
        checkEndpoint(url)
        if (base === undefined && isConnectedTo(path)) checkAddress(url, networks)
      })
    }
    if (base !== undefined) await attempt(report, ['endpoints_base'], () => checkAddress(base, networks))
    return resolved
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    for (const { path, message } of explain(error, definition, environment)) {
      report(path[0] === 'environments' ? ['environment'] : locate(path), message)
    }
    return undefined
  }
}

function explain(error: DefinitionError, definition: string | Data, environment: string) {
  const issues = error.issues ?? []
  if (issues.length === 0) return [error]
  const word = (issue: z.core.$ZodIssue) => {
    const input = valueAt(definition, placeIn(definition, environment, issue.path))
    return sentence({ ...issue, input } as Issue) ?? issue.message
  }
  return misfits(issues, definitionSchema, word)
}

/** The place in what was written that a path of the complete definition comes from. */
function placeIn(definition: string | Data, environment: string, path: ConfigPath): ConfigPath {
  const override = ['environments', environment, ...path]
  if (valueAt(definition, override) !== undefined) return override
  const short = SHORT_FORM[path.join('.')]
  return short !== undefined && valueAt(definition, [short]) !== undefined ? [short] : path
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((at, step) => {
    if (Array.isArray(at)) return at[Number(step)]
    return isData(at) && typeof step === 'string' && Object.hasOwn(at, step) ? at[step] : undefined
  }, value)
}

/** Consent pages are opened by browsers, and what is called with tokens by callers. */
function isConnectedTo([first]: ConfigPath): boolean {
  return first === 'issuer' || first === 'operations'
}

function urlsOf({ issuer, authorize, operations, present }: Definition): [ConfigPath, string][] {
  const all: [ConfigPath, string | undefined][] = [
    [['issuer'], issuer],
    [['authorize', 'url'], authorize.url],
    [['present', 'base_url'], present.base_url],
    ...Object.entries(operations).map(([name, operation]): [ConfigPath, string | undefined] => [
      ['operations', name, 'url'],
      operation?.url,
    ]),
  ]
  return all.filter((entry): entry is [ConfigPath, string] => entry[1] !== undefined)
}
