import type { AccessToken } from '../../src/broker/broker.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { CANARY } from './authorization-server.ts'
import type { Process } from './scheduler.ts'
import type { Truth } from './truth.ts'

/** One call of a caller, from asking to the answer. */
export interface Call {
  readonly process: Process
  readonly account: string
  readonly askedAt: number
  /** When its process last went on after a pause, or started. */
  readonly resumedAt: () => number
  /** By how much the clocks of those who share the store may differ. */
  readonly skewMsMax: number
}

/** Checks an access token as it is answered: I2, I7, I9, and that it has not expired. */
export function checkServed(
  truth: Truth,
  call: Call,
  token: AccessToken,
  fingerprint: string,
  now: number,
  newsMsMax: number,
): void {
  const value = token.accessToken.expose()
  const { process, account } = call
  truth.tally.answers++
  truth.note(`${process.name} answers "${account}" ${value}`)
  if (!truth.durable.has(value))
    truth.violate('I2', `${process.name} answered ${value}, which is stored nowhere`)
  if (!truth.audited.has(`${process.name} ${fingerprint}`))
    truth.violate('I9', `${process.name} answered ${value} before the record of it`)
  const end = truth.server.endOf(value) ?? 0
  // Whoever is paused over an answer cannot look at the clock again.
  if (now >= end + call.skewMsMax && call.resumedAt() <= call.askedAt && !truth.mistold.has(value))
    truth.violate('expired', `${process.name} answered ${value}, which ended ${now - end} ms ago`)
  checkDisconnected(truth, call, value, now, newsMsMax)
}

/** I7: nothing is served after Disconnect's answer; by other replicas, once they must have heard of it. */
function checkDisconnected(truth: Truth, call: Call, value: string, now: number, newsMsMax: number): void {
  const grant = truth.server.grantOf(value)
  const ended = grant && truth.disconnected.get(grant)
  if (ended?.ackedAt === undefined) return
  const grace = ended.process === call.process ? 0 : newsMsMax
  const since = Math.max(ended.ackedAt, grace === 0 ? 0 : call.resumedAt()) + grace
  if (now > since || (now === since && grace === 0))
    truth.violate(
      'I7',
      `${call.process.name} answered ${value} ${now - ended.ackedAt} ms after its disconnect`,
    )
}

/** Checks an error as it is answered: typed, and without a secret (I8). */
export function checkError(
  truth: Truth,
  { process, account }: Pick<Call, 'process' | 'account'>,
  what: string,
  error: unknown,
): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  truth.note(`${process.name} ${what} "${account}": ${error instanceof BrokerError ? error.reason : text}`)
  if (text.includes(CANARY)) truth.violate('I8', `an error holds a token: ${text}`)
  if (!(error instanceof BrokerError))
    truth.violate('typed', `${what} ended with ${error instanceof Error ? error.stack : text}`)
}
