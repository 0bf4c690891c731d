import type { AllowRule, CallerConfig, CallerProof, Config, StaticToken } from '../config/config.ts'
import { type Style, table } from './output.ts'
import { formatTime } from './time.ts'

/** Shows to a person who may call, what they are known by, and what they may do. */
export function callerLines(
  { callers, operatorToken }: Pick<Config, 'callers' | 'operatorToken'>,
  now: number,
  style: Style,
): string[] {
  if (callers.length === 0) {
    return ['No callers are configured: only the holder of operator.token may call.']
  }
  const rows = callers.map(({ name, proof, allow }) => [
    name,
    proofLabel(proof, now, style),
    allow.map(ruleLabel).join('; ') || style('warning', 'nothing'),
  ])
  const headings = ['CALLER', 'KNOWN BY', 'MAY CALL'].map(heading => style('heading', heading))
  const off = ['', 'The operator token is switched off.']
  return [...table(headings, rows), ...(operatorToken === 'off' ? off : [])]
}

/** The same for programs. */
export function callerToJson({ name, proof, allow, callsPerMinute }: CallerConfig): object {
  return { name, ...proofToJson(proof), allow, callsPerMinute }
}

function proofToJson(proof: CallerProof): object {
  const { kind } = proof
  if (kind === 'mtls') return { authentication: kind, identity: proof.identity }
  if (kind === 'jwt') {
    const { issuer, audience, subject } = proof
    return { authentication: kind, issuer, audience, subject }
  }
  const last = Math.max(...proof.tokens.map(({ expiresAtMs = Number.POSITIVE_INFINITY }) => expiresAtMs))
  return { authentication: kind, ...(Number.isFinite(last) && { expireTime: new Date(last) }) }
}

function proofLabel(proof: CallerProof, now: number, style: Style): string {
  switch (proof.kind) {
    case 'static_token':
      return proof.tokens.map(token => `token, ${expiry(token, now, style)}`).join('; ')
    case 'mtls':
      return proof.identity
    case 'jwt':
      return `JWT of ${proof.issuer ?? 'its trust domain'} for ${proof.subject}`
  }
}

function expiry({ expiresAtMs }: StaticToken, now: number, style: Style): string {
  if (expiresAtMs === undefined) return 'never expires'
  const time = formatTime(new Date(expiresAtMs), now) ?? ''
  return expiresAtMs <= now ? style('bad', `expired ${time}`) : `expires ${time}`
}

function ruleLabel({ providers, accounts, methods, roles = [], scopes }: AllowRule): string {
  const whose = accounts.map(account =>
    account === '' ? 'the system-level credential' : `account ${account}`,
  )
  const what = roles.length === 0 ? methods.join(', ') : `${roles.join(', ')} (${methods.join(', ')})`
  const limits = scopes === undefined ? '' : ` with the scopes ${scopes.join(', ') || 'none'}`
  return `${what} of ${providers.join(', ')} for ${whose.join(', ')}${limits}`
}
