import type { ConnectionRow } from '../../src/store/rows.ts'
import type { AuthorizationServer, Grant, Presentation } from './authorization-server.ts'
import type { Exchange } from './http-port.ts'
import type { Process, Scheduler } from './scheduler.ts'

/** A rule that did not hold. */
export interface Violation {
  /** `I1` to `I10` of the invariants, or a word for what else must hold. */
  readonly rule: string
  readonly text: string
  readonly at: number
}

/** What happened in a seed, counted. */
export interface Tally {
  refreshes: number
  answers: number
  /** Grants that a strict server's lost answer killed; each was reported. */
  reportedLosses: number
  /** Requests sent after the sender's lease had ended, because the process was paused between intent and request. */
  staleSends: number
  /** Most requests for one connection within ten seconds. */
  burst: number
  /** Disconnected grants that still live, because the provider has not delivered what would end them. */
  leftAlive: number
  /** Connections that were disconnected, and those of them whose refresh token was at the provider at that moment. */
  disconnects: number
  racedDisconnects: number
}

/** What really is, whatever the brokers believe: kept by the harness beside the server. */
export interface Truth {
  readonly server: AuthorizationServer
  readonly violations: Violation[]
  readonly tally: Tally
  /** Every token that is or was in a row, in a spool or in the outbox. */
  readonly durable: Set<string>
  /** When a refresh token came into a row. */
  readonly storedAt: Map<string, number>
  /** Releases that are recorded: caller and fingerprint. */
  readonly audited: Set<string>
  /** How many refusals of a refresh token have been read. */
  readonly refusals: Map<string, number>
  /** Requests by their number. */
  readonly exchanges: Map<number, Exchange>
  /** Grants of which the provider has once said that they are dead while they were not. */
  readonly liedAbout: Set<Grant>
  /** Access tokens whose end was told on a clock that was moved before it was stored. */
  readonly mistold: Set<string>
  /** Grants that were disconnected: by whom, and when that was answered. */
  readonly disconnected: Map<Grant, { readonly process: Process; ackedAt?: number }>
  /** Whether a process has storage operations under way, or owes the store something. */
  isBusy(process: Process): boolean
  /** What is stored, as of the last step. */
  rows: readonly ConnectionRow[]
  violate(rule: string, text: string): void
  note(text: string): void
}

/** Creates the truth of one simulation. `trace` gets a line for everything that happens; absent = nobody reads it. */
export function createTruth(
  server: AuthorizationServer,
  scheduler: Pick<Scheduler, 'now'>,
  isBusy: (process: Process) => boolean,
  trace?: string[],
): Truth {
  const violations: Violation[] = []
  const note = (text: string) =>
    void trace?.push(`${(scheduler.now() / 1_000).toFixed(3).padStart(10)} ${text}`)
  return {
    server,
    violations,
    tally: {
      refreshes: 0,
      answers: 0,
      reportedLosses: 0,
      staleSends: 0,
      burst: 0,
      leftAlive: 0,
      disconnects: 0,
      racedDisconnects: 0,
    },
    durable: new Set(),
    storedAt: new Map(),
    audited: new Set(),
    refusals: new Map(),
    exchanges: new Map(),
    liedAbout: new Set(),
    mistold: new Set(),
    disconnected: new Map(),
    rows: [],
    isBusy,
    note,
    violate(rule, text) {
      note(`!! ${rule}: ${text}`)
      violations.push({ rule, text, at: scheduler.now() })
    },
  }
}

/** What the fake keyring sealed, in clear. */
export function plainOf(sealed: Uint8Array): string {
  return JSON.parse(Buffer.from(sealed).toString())[1]
}

/** The refresh tokens that a row could be refreshed with, in clear. */
export function candidatesOf({ sealedRefreshToken, sealedSibling }: ConnectionRow): string[] {
  return [sealedRefreshToken, sealedSibling].filter(sealed => sealed !== undefined).map(plainOf)
}

/** The grant that a row's tokens come from. */
export function grantOfRow({ server }: Truth, row: ConnectionRow): Grant | undefined {
  return server.grantOf(plainOf(row.sealedAccessToken))
}

/** Whether somebody still waits for the answer to that presentation. */
export function isAwaited({ exchanges }: Truth, { request, answer }: Presentation): boolean {
  const exchange = exchanges.get(request)
  return answer === 'on_its_way' && exchange !== undefined && exchange.open && exchange.process.alive
}

/** Whether the answer to that presentation reached nobody, or nobody who lived to store it. */
export function isLost(truth: Truth, presentation: Presentation): boolean {
  const { successor, refreshToken, answer } = presentation
  // What a living process has read it must not have thrown away.
  if (answer === 'read' && truth.exchanges.get(presentation.request)?.process.alive) return false
  if (successor !== undefined && successor !== refreshToken) return !truth.durable.has(successor)
  return answer !== 'read'
}

/** Uses of the grant after the one that brought the token: they may have killed it without anybody knowing. */
export function laterPresentations(grant: Grant, refreshToken: string): Presentation[] {
  const producer = grant.presentations.findLast(({ successor }) => successor === refreshToken)
  return grant.presentations.filter(({ order }) => order > (producer?.order ?? 0))
}
