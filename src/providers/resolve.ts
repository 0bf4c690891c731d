import { z } from 'zod'
import { builtIns } from './built-ins.ts'
import { clientAuthSchema, type Definition, definitionSchema, replaySchema } from './definition.ts'
import { type Data, isData, merge } from './merge.ts'

/** The name of the environment that a definition describes outside `environments`. */
export const PRODUCTION = 'production'

/** The keys of the short form that plain RFC 6749 servers need and no more. */
const shortForm = z.object({
  authorize_url: z.string().optional(),
  token_url: z.string().optional(),
  revoke_url: z.string().optional(),
  verify_url: z.string().optional(),
  client_auth: clientAuthSchema.optional(),
  scope_separator: z.string().optional(),
  replay: replaySchema.optional(),
})
const SHORT_KEYS = ['authorize_url', 'token_url', 'revoke_url', 'verify_url', 'scope_separator', 'replay']

/** What a userinfo endpoint answers (OpenID Connect Core section 5.1); what is absent stays unknown. */
export const USERINFO_YIELDS = { provider_account_id: '/sub', name: '/name' } as const

/** A definition that cannot be used. `path` leads to the place inside the definition. */
export class DefinitionError extends Error {
  readonly path: readonly PropertyKey[]
  /** Everything that the schema found, of which `message` and `path` are the first; empty for other reasons. */
  readonly issues: readonly z.core.$ZodIssue[]

  constructor(message: string, path: readonly PropertyKey[] = [], issues: readonly z.core.$ZodIssue[] = []) {
    super(message)
    this.name = 'DefinitionError'
    this.path = path
    this.issues = issues
  }
}

/**
 * Turns what the configuration names into a complete definition: `extends`, the short form and the
 * environment are applied, defaults filled in. URLs may be absent where `issuer` promises them.
 *
 * @param source a built-in's id, or an inline definition
 * @param id what the definition is called if it does not say so itself: the provider's id
 * @throws DefinitionError
 */
export function resolveDefinition(source: string | Data, id: string, environment = PRODUCTION): Definition {
  const written = typeof source === 'string' ? builtIn(source) : expand(source, id)
  const { environments, ...base } = written
  const parsed = definitionSchema.safeParse(applyEnvironment(base, environments, environment))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new DefinitionError(issue?.message ?? 'not a definition', issue?.path, parsed.error.issues)
  }
  refuseUnsupported(parsed.data)
  requireUrls(parsed.data)
  return parsed.data
}

function builtIn(id: string): Data {
  const definition = builtIns.get(id)
  if (definition === undefined) {
    throw new DefinitionError(
      `no built-in definition "${id}"; there are ${[...builtIns.keys()].join(', ')}, or write one inline`,
    )
  }
  return definition as unknown as Data
}

function expand(inline: Data, id: string): Data {
  const { extends: parent, ...own } = inline
  const long = fromShortForm(own)
  if (parent === undefined) return { id, ...long }
  if (typeof parent !== 'string') throw new DefinitionError('expected the id of a built-in', ['extends'])
  return merge(builtIn(parent), long)
}

function fromShortForm(written: Data): Data {
  const parsed = shortForm.safeParse(written)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new DefinitionError(issue?.message ?? 'not a definition', issue?.path, parsed.error.issues)
  }
  const short = parsed.data
  const long = Object.fromEntries(Object.entries(written).filter(([key]) => !SHORT_KEYS.includes(key)))
  return merge(
    {
      ...(short.authorize_url || short.scope_separator
        ? { authorize: { ...defined({ url: short.authorize_url, scope_separator: short.scope_separator }) } }
        : {}),
      operations: {
        ...(short.token_url && { exchange: { url: short.token_url }, refresh: { url: short.token_url } }),
        ...(short.revoke_url && { revoke: { url: short.revoke_url } }),
        ...(short.verify_url && { verify: { url: short.verify_url, yields: USERINFO_YIELDS } }),
      },
      ...(short.replay && { refresh: { replay: short.replay } }),
    },
    long,
  )
}

function defined(data: Data): Data {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}

function applyEnvironment(base: Data, environments: unknown, name: string): Data {
  if (name === PRODUCTION) return base
  const overrides = isData(environments) ? environments[name] : undefined
  if (!isData(overrides)) {
    const known = isData(environments) ? Object.keys(environments) : []
    throw new DefinitionError(`no environment "${name}"; there is ${[PRODUCTION, ...known].join(', ')}`, [
      'environments',
    ])
  }
  return merge(base, overrides)
}

/** What the vocabulary has words for and the engine does not run yet is refused rather than ignored. */
function refuseUnsupported({ operations }: Definition): void {
  if (operations.upgrade !== undefined)
    throw new DefinitionError('is not supported yet', ['operations', 'upgrade'])
}

/** Without an issuer there is nobody to ask for what is missing. */
function requireUrls(definition: Definition): void {
  if (definition.issuer !== undefined) return
  const { exchange, refresh } = definition.operations
  const tokenUrl = definition.refresh.mode === 'client_credentials' ? refresh : exchange
  if (tokenUrl?.url === undefined) {
    throw new DefinitionError('needs an issuer, a token_url, or the long form with operations', ['token_url'])
  }
}
