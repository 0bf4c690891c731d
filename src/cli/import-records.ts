import { z } from 'zod'
import { Secret } from '../secret.ts'

/** One grant of an input, or why it is none. No text of the input stands in `why`: it may be a token. */
export type GrantRecord =
  | {
      readonly kind: 'grant'
      /** Where it begins in the input, from 1. */
      readonly line: number
      readonly account: string
      readonly accessToken: Secret
      readonly refreshToken?: Secret
      readonly expireTime?: Date
      readonly refreshExpireTime?: Date
      readonly scopes: readonly string[]
      readonly providerAccountId: string
      readonly variables: Record<string, string>
      readonly attributes: Record<string, string>
    }
  | { readonly kind: 'unusable'; readonly line: number; readonly account: string; readonly why: string }

const time = z.iso.datetime({ offset: true }).transform(text => new Date(text))
/** Both the Pinterest quickstart's file and ours; null is what some programs write for nothing. */
const grantSchema = z.strictObject({
  access_token: z.string().min(1),
  refresh_token: z.string().nullish(),
  name: z.string().nullish(),
  account: z.string().nullish(),
  scopes: z.union([z.string(), z.array(z.string())]).nullish(),
  expire_time: time.nullish(),
  refresh_expire_time: time.nullish(),
  provider_account_id: z.string().nullish(),
  variables: z.record(z.string(), z.string()).default({}),
  attributes: z.record(z.string(), z.string()).default({}),
})

/**
 * Reads one JSON object, one object per line (NDJSON), or bare tokens: an access token, and in the next line its
 * refresh token if there is one.
 */
export function readRecords(text: string): GrantRecord[] {
  const content = text.trim()
  if (content === '') return []
  if (!content.startsWith('{')) return [content.startsWith('[') ? notALine : fromBareTokens(content)]
  const whole = parse(content)
  return whole === undefined ? fromLines(text) : [fromObject(whole, 1)]
}

const notALine: GrantRecord = {
  kind: 'unusable',
  line: 1,
  account: '',
  why: 'an array is not read: write one object per line',
}

function fromLines(text: string): GrantRecord[] {
  return text.split('\n').flatMap((written, index) => {
    if (written.trim() === '') return []
    const line = index + 1
    const value = parse(written)
    return [value === undefined ? unusable(line, 'this line is no JSON object') : fromObject(value, line)]
  })
}

function fromBareTokens(content: string): GrantRecord {
  const [accessToken = '', refreshToken, ...more] = content.split('\n').map(line => line.trim())
  if (more.length > 0) {
    return unusable(1, 'bare tokens are one line, or two with the refresh token in the second')
  }
  return fromObject({ access_token: accessToken, refresh_token: refreshToken }, 1)
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function fromObject(value: object, line: number): GrantRecord {
  const parsed = grantSchema.safeParse(value)
  const account = textOf(value, 'account') ?? textOf(value, 'name') ?? ''
  if (!parsed.success) return unusable(line, parsed.error.issues.map(sentenceOf).join('; '), account)
  const grant = parsed.data
  return {
    kind: 'grant',
    line,
    account,
    accessToken: new Secret(grant.access_token),
    refreshToken: grant.refresh_token ? new Secret(grant.refresh_token) : undefined,
    expireTime: grant.expire_time ?? undefined,
    refreshExpireTime: grant.refresh_expire_time ?? undefined,
    scopes: scopesOf(grant.scopes ?? []),
    providerAccountId: grant.provider_account_id ?? '',
    variables: grant.variables,
    attributes: grant.attributes,
  }
}

function scopesOf(scopes: string | readonly string[]): string[] {
  const parts = typeof scopes === 'string' ? scopes.split(/[ ,]+/) : scopes
  return [...new Set(parts.filter(Boolean))]
}

function textOf(value: object, key: string): string | undefined {
  const text: unknown = Object.getOwnPropertyDescriptor(value, key)?.value
  return typeof text === 'string' ? text : undefined
}

/** Names the field; a schema's message names types and keys, never values. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown field: ${issue.keys.join(', ')}`
  const field = issue.path.join('.')
  return field.endsWith('_time')
    ? `${field}: expected a time such as 2026-11-20T12:00:00Z`
    : `${field}: not as expected, or absent`
}

function unusable(line: number, why: string, account = ''): GrantRecord {
  return { kind: 'unusable', line, account, why }
}
