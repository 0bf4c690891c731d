import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Presentation } from './authorization-server.ts'
import type { Process } from './scheduler.ts'
import type { StoreCall } from './store-port.ts'
import { candidatesOf, grantOfRow, isAwaited, laterPresentations, plainOf, type Truth } from './truth.ts'

/** Verdicts that rest on what the provider said, so that it has to be asked twice. */
const NEEDS_REFUSALS = /^(OUTCOME_LOST|ALREADY_USED|ROTATED_ELSEWHERE|REVOKED|GRANT_REFUSED|)$/

/**
 * The rules that hold after every step. I1 and I6 are checked as a request leaves (`sending.ts`), I2, I7, I8 and I9
 * as an answer does (`serving.ts`), I3 and I10 here at every change of what is stored, I4 and I5 here on what is
 * stored.
 */
export function checkRows(truth: Truth, now: number): void {
  for (const row of truth.rows) {
    checkAlive(truth, row, now)
    checkDead(truth, row, now)
  }
}

/** I4: a connection that is believed to be well is well, but for what nobody could have been told yet. */
function checkAlive(truth: Truth, row: ConnectionRow, now: number): void {
  const { state, suspect, outcomeUnknownSince, lastError, sealedRefreshToken } = row
  if (
    state !== 'ACTIVE' ||
    suspect ||
    outcomeUnknownSince !== undefined ||
    lastError?.class === 'reauthorize'
  )
    return
  if (sealedRefreshToken === undefined) return
  const refreshToken = plainOf(sealedRefreshToken)
  if (truth.server.accepts(refreshToken, now)) return
  const grant = truth.server.grantOf(refreshToken)
  const later = grant === undefined ? [] : laterPresentations(grant, refreshToken)
  if (!later.some(one => isUntold(truth, one, refreshToken)))
    truth.violate('I4', `${name(row)} is ACTIVE with ${refreshToken}, which the server refuses`)
}

/** I5: a connection is reported dead only if nothing that is stored would be taken. */
function checkDead(truth: Truth, row: ConnectionRow, now: number): void {
  if (row.state !== 'REAUTH_REQUIRED') return
  const living = candidatesOf(row).find(token => truth.server.accepts(token, now))
  if (living === undefined) return
  const grant = grantOfRow(truth, row)
  // A sibling that came after the verdict is tried at once; a lie is found out by the next probe.
  if (row.suspect || row.attemptId !== undefined || (grant && truth.liedAbout.has(grant))) return
  if (grant?.presentations.some(one => isAwaited(truth, one))) return
  truth.violate(
    'I5',
    `${name(row)} is REAUTH_REQUIRED (${row.stateReason}), but the server accepts ${living}`,
  )
}

/** I3 and I10: what a change of the store may do to a row. */
export function checkChange(
  truth: Truth,
  { method, args, process }: StoreCall,
  before: readonly ConnectionRow[],
  after: readonly ConnectionRow[],
): void {
  for (const row of after) {
    const was = before.find(({ id }) => id === row.id)
    if (was !== undefined && was !== row) {
      checkOrder(truth, method, args, was, row)
      checkVerdict(truth, method, args, process, was, row)
    }
  }
}

function checkOrder(
  truth: Truth,
  method: string,
  args: readonly unknown[],
  was: ConnectionRow,
  row: ConnectionRow,
): void {
  if (row.grantEpoch < was.grantEpoch)
    truth.violate('I3', `${method} put the grant epoch of ${name(row)} back`)
  if (row.grantEpoch !== was.grantEpoch) return
  if (row.counter < was.counter) truth.violate('I3', `${method} put the counter of ${name(row)} back`)
  const isSame = row.version === was.version && row.sealedRefreshToken === was.sealedRefreshToken
  if (isSame || method === 'forgetRefreshToken') return
  const base = args[0] as { readonly counter?: number } | undefined
  if (row.counter === was.counter)
    truth.violate('I3', `${method} changed the tokens of ${name(row)}, not its counter`)
  if (base?.counter !== was.counter)
    truth.violate(
      'I3',
      `${method} overwrote tokens ${was.counter} of ${name(row)} by those obtained with ${base?.counter}`,
    )
}

function checkVerdict(
  truth: Truth,
  method: string,
  args: readonly unknown[],
  process: Process,
  was: ConnectionRow,
  row: ConnectionRow,
): void {
  if (method !== 'failRefresh' || row.state === was.state) return
  if (row.state === 'REAUTH_REQUIRED' && NEEDS_REFUSALS.test(row.stateReason)) {
    const [count = 0, ofSibling = 1] = candidatesOf(was).map(token => truth.refusals.get(token) ?? 0)
    if (count < 2 || ofSibling < 1)
      truth.violate(
        'hasty',
        `${process.name} gave ${name(row)} up (${row.stateReason}) after ${count} refusals`,
      )
  }
  const { attemptId } = args[1] as { readonly attemptId: string }
  if (was.attemptId === attemptId) return
  truth.violate(
    'I10',
    `${process.name} failed ${name(row)} as ${row.state} by an attempt that was not the current one`,
  )
}

/**
 * Whether the row may still say nothing of that use: its sender has not been answered or is about to store what it was
 * told, or died after the row had been replaced, with its intent, by what another sender had brought.
 */
function isUntold(truth: Truth, presentation: Presentation, refreshToken: string): boolean {
  const exchange = truth.exchanges.get(presentation.request)
  if (exchange === undefined) return false
  const { process, open, stale, sentAt } = exchange
  if (process.alive && (open || process.paused || truth.isBusy(process))) return true
  const wasErased = stale || sentAt <= (truth.storedAt.get(refreshToken) ?? 0)
  return wasErased && (presentation.answer !== 'read' || !process.alive)
}

function name({ account }: ConnectionRow): string {
  return `connection "${account}"`
}
