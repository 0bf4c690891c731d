import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Exchange } from './http-port.ts'
import type { Process } from './scheduler.ts'
import { candidatesOf, grantOfRow, type Truth } from './truth.ts'

/** More requests than that for one connection within {@link BURST_MS}, per process, are a loop. */
const BURST_MAX = 12
const BURST_MS = 10_000

/** Checks a request as it leaves: I1 and I6. */
export interface SendingRules {
  /** @param wallNow the sender's wall clock, by which it took its lease */
  check(exchange: Exchange, now: number, wallNow: number): void
}

/** Creates the rules of one simulation. `replicas` is how many processes share the store. */
export function createSendingRules(truth: Truth, replicas: number): SendingRules {
  const sentAt = new Map<string, number[]>()

  function checkBurst(account: string, now: number): void {
    const recent = (sentAt.get(account) ?? []).filter(at => now - at < BURST_MS)
    recent.push(now)
    sentAt.set(account, recent)
    truth.tally.burst = Math.max(truth.tally.burst, recent.length)
    if (recent.length === BURST_MAX * replicas + 1) {
      truth.violate(
        'I6',
        `more than ${BURST_MAX * replicas} requests for "${account}" in ${BURST_MS / 1_000} s`,
      )
    }
  }

  return {
    check(exchange, now, wallNow) {
      truth.exchanges.set(exchange.number, exchange)
      const { refreshToken, process } = exchange
      if (refreshToken === undefined) return
      truth.note(`${process.name} sends #${exchange.number} ${refreshToken} (${exchange.fate})`)
      truth.tally.refreshes++
      const account = truth.server.grantOf(refreshToken)?.account ?? ''
      checkBurst(account, now)
      const row = truth.rows.find(one => one.account === account)
      exchange.stale = !isHeld(row, exchange, replicas > 1 ? wallNow : undefined)
      if (exchange.stale) truth.tally.staleSends++
      else checkSingle(truth, exchange, row)
    },
  }
}

/** Who ends in order waits for the answer to every refresh token that it has sent, and has stored it. */
export function checkDrained({ exchanges, server, durable, violate }: Truth, process: Process): void {
  for (const { number, refreshToken, open, process: sender } of exchanges.values()) {
    if (sender !== process || refreshToken === undefined) continue
    if (open) violate('drain', `${process.name} has ended before #${number} was answered`)
    const { presentations = [] } = server.grantOf(refreshToken) ?? {}
    const { answer, successor } = presentations.find(({ request }) => request === number) ?? {}
    if (answer === 'read' && successor !== undefined && !durable.has(successor))
      violate('drain', `${process.name} has ended with ${successor} stored nowhere`)
  }
}

/** Whether the sender holds the lease of what it sends; a store with one writer needs none. */
function isHeld(row: ConnectionRow | undefined, { process }: Exchange, wallNow: number | undefined): boolean {
  if (row === undefined) return false
  if (wallNow === undefined) return true
  const { leaseOwner, leaseUntil = 0, attemptId } = row
  return attemptId !== undefined && leaseOwner === process.name && leaseUntil > wallNow
}

/** I1: under a live lease a refresh token is used once at a time, and only while it is the stored one. */
function checkSingle(truth: Truth, exchange: Exchange, row: ConnectionRow | undefined): void {
  const { refreshToken, process, number } = exchange
  const twin = [...truth.exchanges.values()].find(
    one => one.number !== number && one.open && one.process === process && one.refreshToken === refreshToken,
  )
  if (twin !== undefined)
    truth.violate('I1', `${process.name} sends ${refreshToken} twice at once (#${twin.number}, #${number})`)
  // An intent may be overtaken by a new consent before it is answered.
  const isOfAnother = row === undefined || grantOfRow(truth, row) !== truth.server.grantOf(refreshToken ?? '')
  if (!isOfAnother && !candidatesOf(row).includes(refreshToken ?? ''))
    truth.violate('I1', `${process.name} sends ${refreshToken}, which is not what is stored`)
}
