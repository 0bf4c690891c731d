import type { ConnectionRow } from '../store/rows.ts'
import type { ConnectionName, ConnectionState } from './broker.ts'
import { connectCommand } from './token-errors.ts'

/** What a diagnosis is made from. */
export interface DiagnosisInput {
  readonly state: ConnectionState
  readonly row?: ConnectionRow
  readonly name: ConnectionName
  readonly hasStaticToken: boolean
  /** Milliseconds that the access token still lives; undefined = no end is known. */
  readonly left?: number
  readonly now: number
}

/** One sentence: what happened, and what to do. */
export function diagnose(input: DiagnosisInput): string {
  const { state, name, row } = input
  const connect = connectCommand(name)
  switch (state) {
    case 'NOT_CONNECTED':
      return input.hasStaticToken
        ? `not connected; the configuration's static token answers; to connect: ${connect}`
        : `not connected; an admin consents once in a browser: ${connect}`
    case 'UNREADABLE':
      return `the stored tokens do not open with the keys at hand; restore data directory and root key together, or: ${connect}`
    case 'PROVIDER_MISCONFIGURED':
      return `${name.provider} refuses our client, or client id or endpoint were changed; check the configuration; the connection is kept`
    case 'CONNECTION_MISCONFIGURED':
      return `${name.provider} refuses this connection's parameters${because(row)}; check scopes and variables, then: ${connect}`
    case 'REAUTH_REQUIRED':
      return `the grant is dead${because(row)}${stillServed(input.left)}; a human has to consent again: ${connect}`
    case 'ACTIVE':
      return active(input)
  }
}

function active({ row, left, now }: DiagnosisInput): string {
  if (row?.lastError !== undefined) {
    const next = row.nextRefreshAt === undefined ? '' : `; next try in ${seconds(row.nextRefreshAt - now)}`
    return `the last refresh failed${because(row)}${stillServed(left)}${next}`
  }
  if (row?.outcomeUnknownSince !== undefined) {
    return 'a refresh was interrupted and nobody knows its outcome; it is tried again first'
  }
  if (row !== undefined && row.sealedRefreshToken === undefined && row.expiresAt !== undefined) {
    return 'working, but the provider issued no refresh token: consent again before the access token expires'
  }
  return 'working; nothing to do'
}

function because(row: ConnectionRow | undefined): string {
  return row?.lastError === undefined ? '' : ` (${row.lastError.message})`
}

function stillServed(left: number | undefined): string {
  if (left === undefined) return '; the access token is still handed out'
  return left > 0 ? `; the access token is still handed out for ${seconds(left)}` : ''
}

function seconds(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000))
  if (total < 120) return `${total} s`
  return total < 7_200 ? `${Math.round(total / 60)} min` : `${Math.round(total / 3_600)} h`
}
