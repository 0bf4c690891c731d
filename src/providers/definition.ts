import { z } from 'zod'
import { duration } from './duration.ts'

/**
 * The vocabulary in which data says how one kind of authorization server speaks (docs/definitions.md).
 *
 * One schema checks built-in definitions and inline ones. Keys are snake_case because they are what a
 * user writes; durations parse to milliseconds. Unknown keys are errors.
 */

/** An RFC 6901 pointer into a JSON answer. */
const pointer = z.string().regex(/^(\/[^/]*)+$/, 'expected a JSON pointer such as /data/access_token')
const scalar = z.union([z.string(), z.number(), z.boolean()])
/** Values keep their JSON types; strings may hold placeholders such as `{client_id}`. */
const params = z.record(z.string(), z.union([scalar, z.array(scalar)]))
/** Standard name -> the name on the wire; null drops the parameter. */
const names = z.record(z.string(), z.string().nullable())
const headers = z.record(z.string(), z.string())
const regex = z.string().refine(isRegex, 'expected a regular expression')

function isRegex(source: string): boolean {
  try {
    new RegExp(source)
    return true
  } catch {
    return false
  }
}

/** How the client authenticates (RFC 6749 section 2.3). */
export const clientAuthSchema = z.union([
  z.enum(['basic', 'body', 'none', 'basic_secret_only']),
  z.strictObject({ header: headers }),
])

/** A test of a JSON answer; all of a list must hold. */
const successSchema = z.array(
  z.strictObject({ at: pointer, equals: scalar.optional(), absent: z.boolean().optional() }),
)

const expirySchema = z.strictObject({
  at: pointer,
  /** `seconds` from sending, `unix` seconds, or an ISO 8601 time. */
  as: z.enum(['seconds', 'unix', 'iso8601']).default('seconds'),
})

const scopeSchema = z.strictObject({
  at: pointer,
  /** A regular expression between scopes; arrays need none. */
  split: regex.default('[ ,]+'),
})

const yieldsSchema = z.strictObject({
  provider_account_id: pointer.optional(),
  name: pointer.optional(),
  scope: scopeSchema.optional(),
  expires: expirySchema.optional(),
})

const operationBase = {
  /** Absolute; absent only until discovery fills it. */
  url: z.string().optional(),
  params: params.default({}),
  names: names.default({}),
  headers: headers.default({}),
  client_auth: clientAuthSchema.optional(),
  root: pointer.optional(),
  success: successSchema.optional(),
}
const post = z.enum(['POST', 'GET', 'PUT', 'DELETE']).default('POST')
const encoding = z.enum(['form', 'json', 'query', 'none'])

const operationSchema = z.strictObject({ ...operationBase, method: post, encoding: encoding.default('form') })

const revokeSchema = z.strictObject({
  ...operationBase,
  method: post,
  encoding: encoding.default('form'),
  /** Which token the provider wants; `account` sends none but names the account in `params`. */
  token: z.enum(['access', 'refresh', 'both', 'account']).default('refresh'),
  /** What a revocation ends: that token, the grant, or everything of this provider account. */
  revokes: z.enum(['token', 'grant', 'account']).default('grant'),
})

const verifySchema = z.strictObject({
  ...operationBase,
  method: z.enum(['POST', 'GET']).default('GET'),
  encoding: encoding.default('none'),
  /** A scope without which this call is refused; a connection that lacks it cannot be verified. */
  needs_scope: z.string().optional(),
  yields: yieldsSchema.default({}),
})

const answerSchema = z.strictObject({
  access_token: pointer.default('/access_token'),
  refresh_token: pointer.default('/refresh_token'),
  token_type: pointer.default('/token_type'),
  provider_account_id: pointer.optional(),
  name: pointer.optional(),
  scope: scopeSchema.default({ at: '/scope', split: '[ ,]+' }),
  attributes: z.record(z.string(), pointer).default({}),
  expires: expirySchema.default({ at: '/expires_in', as: 'seconds' }),
  refresh_expires: expirySchema.optional(),
  /** What an answer without expiry means: seconds, or `never`. Absent = unknown. */
  assume_expires_in: z.union([z.number().int().positive(), z.literal('never')]).optional(),
})

/**
 * What happens to a used refresh token: `same`, it is not replaced; `window`, replaced, the old one works
 * for a while or until its successor is used; `single_use`, dead at once; `single_use_family`, its reuse
 * kills every token of the grant.
 */
export const replaySchema = z.enum(['same', 'window', 'single_use', 'single_use_family'])

const refreshSchema = z.strictObject({
  mode: z.enum(['refresh_token', 'exchange_access_token', 'client_credentials']).default('refresh_token'),
  /** Absent = unknown: held like `single_use`, retried like `window`. */
  replay: replaySchema.optional(),
  /** How long the old refresh token works where `replay` is `window`. */
  window: duration.optional(),
  /** Whether a refresh ends the previous access token. */
  kills_access_token: z.boolean().default(false),
  /** How long before expiry to renew: `10%` of the lifetime or a duration. */
  margin: z.union([z.string().regex(/^\d{1,2}%$/), duration]).optional(),
  /** The age that a token must have before the provider refreshes it. */
  min_age: duration.optional(),
  /** Refresh at least this often, though nobody asks, so that the refresh token does not lapse. */
  keep_alive: duration.optional(),
  /** How long the refresh token lives where the answer does not say. */
  refresh_lifetime: z
    .strictObject({ of: duration.optional(), kind: z.enum(['sliding', 'absolute', 'none']) })
    .optional(),
})

/** Whose fault a refusal is; decides what the broker does about it. */
export const errorClassSchema = z.enum([
  'reauthorize',
  'retry',
  'rate_limited',
  'client',
  'connection',
  'ambiguous',
  'unsupported',
])

const operationName = z.enum(['exchange', 'refresh', 'revoke', 'verify', 'upgrade', 'migrate'])

const errorRuleSchema = z.strictObject({
  operation: z.union([operationName, z.array(operationName)]).optional(),
  http: z.union([z.number().int(), z.array(z.number().int())]).optional(),
  at: pointer.optional(),
  equals: scalar.optional(),
  in: z.array(scalar).optional(),
  range: z.tuple([z.number(), z.number()]).optional(),
  matches: regex.optional(),
  absent: z.boolean().optional(),
  class: errorClassSchema,
})

const authorizeSchema = z.strictObject({
  url: z.string().optional(),
  params: z.record(z.string(), scalar).default({}),
  names: names.default({}),
  scope_separator: z.string().default(' '),
  pkce: z.enum(['off', 's256']).default('s256'),
  redirect_https_required: z.boolean().default(false),
  /** Characters of the longest redirect URI that can be registered (TikTok Login Kit); absent = no limit is known. */
  redirect_length_max: z.number().int().positive().optional(),
  /** A fixed `redirect_uri` value that stands for the registered URL (eBay's RuName). */
  redirect_alias: z.string().nullable().default(null),
})

const callbackSchema = z.strictObject({
  code: z.string().default('code'),
  error: z
    .strictObject({ code: z.string().default('error'), description: z.string().default('error_description') })
    .default({ code: 'error', description: 'error_description' }),
  /** Whether the callback must carry `iss` (RFC 9207); discovery sets it where the metadata says so. */
  iss_required: z.boolean().default(false),
  /** Attribute -> the query parameter it is taken from. */
  capture: z.record(z.string(), z.string()).default({}),
})

const presentSchema = z.strictObject({
  header: z.string().default('Authorization'),
  prefix: z.string().default('Bearer '),
  headers: headers.default({}),
  base_url: z.string().optional(),
})

/** A definition with every default filled in and its environment applied. */
export const definitionSchema = z.strictObject({
  id: z.string().min(1).max(63),
  /** When its facts were read, `YYYY-MM-DD`. */
  as_of: z.iso.date().optional(),
  docs: z.url().optional(),
  /** The issuer identifier (RFC 8414); its metadata fills the URLs that are absent. */
  issuer: z.url().optional(),
  authorize: authorizeSchema.prefault({}),
  callback: callbackSchema.prefault({}),
  client_auth: clientAuthSchema.default('basic'),
  root: pointer.optional(),
  success: successSchema.default([]),
  operations: z.strictObject({
    exchange: operationSchema.optional(),
    refresh: operationSchema.optional(),
    revoke: revokeSchema.optional(),
    verify: verifySchema.optional(),
    upgrade: operationSchema.optional(),
    migrate: operationSchema.optional(),
  }),
  answer: answerSchema.prefault({}),
  refresh: refreshSchema.prefault({}),
  errors: z.array(errorRuleSchema).max(100).default([]),
  present: presentSchema.prefault({}),
  /** What to do when consent grants less than was asked for. */
  missing_scopes: z.enum(['report', 'refuse']).default('report'),
  variables: z.record(z.string(), z.strictObject({ matches: regex })).default({}),
})

/** How one kind of authorization server speaks, as the engine reads it. */
export type Definition = z.output<typeof definitionSchema>
/** The same as a user or a built-in writes it, before `extends`, the short form and environments. */
export type DefinitionInput = z.input<typeof definitionSchema> & {
  readonly environments?: Readonly<Record<string, object>>
}
export type ClientAuth = z.output<typeof clientAuthSchema>
export type Replay = z.output<typeof replaySchema>
export type ErrorRule = z.output<typeof errorRuleSchema>
export type ErrorClass = z.output<typeof errorClassSchema>
export type Operation = z.output<typeof operationSchema>
export type RevokeOperation = z.output<typeof revokeSchema>
export type OperationName = z.output<typeof operationName>
export type ExpiryRule = z.output<typeof expirySchema>
export type ScopeRule = z.output<typeof scopeSchema>
export type SuccessRule = z.output<typeof successSchema>[number]
