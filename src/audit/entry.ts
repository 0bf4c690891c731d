import type { AuditEntry, AuditEvent } from './audit.ts'

/** Characters of one text; more is cut off. Longer than every account, scope list of most grants, and peer. */
const TEXT_CHARS_MAX = 512
/** Details of one record. */
const DETAILS_MAX = 16

/** The entry of an event at that time. */
export function entryOf(event: AuditEvent, time: number): AuditEntry {
  const { caller, peer = caller?.origin?.peer } = event
  return {
    time,
    event: event.event,
    outcome: event.outcome ?? 'SUCCEEDED',
    reason: escapeText(event.reason ?? ''),
    caller: escapeText(caller?.name ?? ''),
    authentication: escapeText(caller?.authentication ?? ''),
    provider: escapeText(event.provider ?? ''),
    account: cleanAccount(event.account ?? ''),
    connectionId: escapeText(event.connectionId ?? ''),
    version: escapeText(event.version ?? ''),
    requestId: escapeText(caller?.origin?.requestId ?? ''),
    peer: escapeText(peer ?? ''),
    keyId: escapeText(event.keyId ?? ''),
    fingerprint: escapeText(event.fingerprint ?? ''),
    // What the store refuses would keep all that comes after it from being written.
    count: Math.max(0, Math.trunc(event.count ?? 1)),
    details: detailsOf(event.details ?? {}),
  }
}

function detailsOf(details: NonNullable<AuditEvent['details']>): Record<string, string> {
  const present = Object.entries(details).filter(([, value]) => value.length > 0)
  return Object.fromEntries(
    present
      .slice(0, DETAILS_MAX)
      .map(([key, value]) => [key, escapeText(typeof value === 'string' ? value : value.join(' '))]),
  )
}

/**
 * An account's name as it is, so that it can be asked for; what no account can have in it, which a refused call may
 * send all the same, becomes U+FFFD.
 */
function cleanAccount(account: string): string {
  return account.slice(0, TEXT_CHARS_MAX).replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd')
}

/**
 * Foreign text in a form that cannot forge a line, move a cursor or hide what stands beside it: control and format
 * characters, line separators and halves of surrogate pairs become `\u{…}`; a backslash becomes two, so that nothing
 * else looks like one of these.
 */
export function escapeText(text: string): string {
  const clipped = text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX - 1)}…`
  return clipped.replace(/[\\\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, character =>
    character === '\\' ? '\\\\' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
