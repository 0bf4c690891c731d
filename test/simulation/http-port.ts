import {
  HARD_TIMEOUT_MS,
  type Http,
  HttpError,
  type HttpRequest,
  type HttpResponse,
} from '../../src/egress/http.ts'
import { Secret } from '../../src/secret.ts'
import type { AuthorizationServer, Presentation } from './authorization-server.ts'
import type { Dice } from './dice.ts'
import { remember } from './operations.ts'
import type { Fate, Fates } from './profile.ts'
import type { Process, Scheduler } from './scheduler.ts'

/** A request between sending and its end, as its process sees it. */
export interface Exchange {
  readonly number: number
  readonly process: Process
  readonly path: string
  /** The refresh token that is presented; absent for other requests. */
  readonly refreshToken?: string
  readonly fate: Fate
  readonly sentAt: number
  /** Whether its sender had lost its lease when it was sent, because it was paused over it. */
  stale: boolean
  /** Whether its process still waits for the answer. */
  open: boolean
}

/** What the HTTP ports of a simulation share. */
export interface HttpPorts {
  readonly scheduler: Scheduler
  readonly dice: Dice
  readonly server: AuthorizationServer
  readonly fates: () => Fates
  /** Called as a request leaves; what must hold for it is checked there. */
  readonly onSend: (exchange: Exchange) => void
  /** Called when a grant is refused that lives. */
  readonly onLie: (exchange: Exchange) => void
  /** Called when an answer is read. */
  readonly onAnswer: (exchange: Exchange, status: number) => void
  readonly note: (text: string) => void
}

interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const LIES: Readonly<Partial<Record<Fate, Answer>>> = {
  down_503: { status: 503 },
  invalid_client: { status: 401, body: { error: 'invalid_client' } },
  lie: { status: 400, body: { error: 'invalid_grant' } },
  rate_limited: { status: 429, headers: { 'retry-after': '2' } },
}

/** Creates the way of one process to the server; it honours the hard limit as the real one does. */
export function createHttpPort(ports: HttpPorts, process: Process, nextNumber: () => number): Http {
  const { scheduler, dice, server } = ports

  function act(exchange: Exchange, form: URLSearchParams, request: HttpRequest): [Answer, Presentation?] {
    const now = scheduler.now()
    if (exchange.path === '/revoke') {
      server.revoke(form.get('token') ?? '')
      return [{ status: 200 }]
    }
    if (exchange.path === '/verify') {
      const header = request.headers.authorization
      const token = (header instanceof Secret ? header.expose() : (header ?? '')).replace(/^Bearer /, '')
      return [server.honours(token, now) ? { status: 200, body: {} } : { status: 401 }]
    }
    const { issued, presentation } = server.present(exchange.refreshToken ?? '', exchange.number, now)
    ports.note(
      `server: ${exchange.refreshToken} of #${exchange.number} ${issued ? `-> ${presentation?.successor}` : 'refused'}`,
    )
    if (issued === undefined) return [{ status: 400, body: { error: 'invalid_grant' } }, presentation]
    const { accessToken, refreshToken } = issued
    const tokens =
      exchange.fate === 'act_half'
        ? {}
        : { access_token: accessToken, token_type: 'Bearer', expires_in: server.habits.lifetime }
    return [
      { status: 200, body: { ...tokens, ...(refreshToken && { refresh_token: refreshToken }) } },
      presentation,
    ]
  }

  function send(request: HttpRequest): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
    const form = new URLSearchParams(request.body?.expose() ?? '')
    const path = new URL(request.url.expose()).pathname
    const exchange: Exchange = {
      number: nextNumber(),
      process,
      path,
      refreshToken: form.get('refresh_token') ?? undefined,
      fate: fateOf(path, dice.weighted<Fate>(ports.fates())),
      sentAt: scheduler.now(),
      stale: false,
      open: true,
    }
    ports.onSend(exchange)
    const label = `${process.name} #${exchange.number}`
    const mine = { owner: process, label: `${label} answered` }
    let arrived: (() => void) | undefined

    const endWith = (say: () => void) => {
      if (!exchange.open) return
      exchange.open = false
      cancelLimit()
      say()
    }
    const noAnswer = () => reject(new HttpError('no_answer', 'as.example did not answer completely'))
    // An answer that waits in the socket when the deadline of a paused process fires is read.
    const cancelLimit = scheduler.after(HARD_TIMEOUT_MS, () => endWith(arrived ?? noAnswer), {
      owner: process,
      label: `${label} timed out`,
    })
    const deliver = (answer: Answer, presentation: Presentation | undefined, ms: number) => {
      const read = () => {
        if (presentation !== undefined) presentation.answer = 'read'
        ports.onAnswer(exchange, answer.status)
        remember(process, `#${exchange.number}`, answer)
        resolve(toResponse(answer))
      }
      const arrive = () => {
        arrived = read
      }
      scheduler.after(ms, arrive, { label: `${label} arrives` })
      scheduler.after(ms, () => endWith(read), mine)
    }

    const [before, after] = delays(exchange.fate, dice)
    if (exchange.fate === 'unreachable') {
      scheduler.after(
        before,
        () => endWith(() => reject(new HttpError('not_sent', 'cannot reach as.example'))),
        mine,
      )
    } else if (exchange.fate === 'lost_request') {
      scheduler.after(before, () => endWith(noAnswer), mine)
    } else {
      if (exchange.fate === 'acts_late') scheduler.after(before / 2, () => endWith(noAnswer), mine)
      scheduler.after(
        before,
        () => {
          const lie = LIES[exchange.fate]
          if (exchange.fate === 'lie') ports.onLie(exchange)
          const [answer, presentation] = lie === undefined ? act(exchange, form, request) : [lie]
          if (exchange.fate === 'lost_answer' || exchange.fate === 'acts_late') {
            if (presentation !== undefined) presentation.answer = 'lost'
            scheduler.after(after, () => endWith(noAnswer), mine)
          } else if (presentation?.successor !== undefined && exchange.fate === 'act_502') {
            presentation.answer = 'lost'
            deliver({ status: 502 }, undefined, after)
          } else if (presentation?.successor !== undefined && exchange.fate === 'act_garbage') {
            presentation.answer = 'lost'
            deliver({ status: 200, body: 'oops' }, undefined, after)
          } else {
            if (presentation !== undefined && exchange.fate === 'too_slow') presentation.answer = 'lost'
            deliver(answer, presentation, after)
          }
        },
        { label: `${label} acts` },
      )
    }
    return promise
  }

  return { send, close: async () => {} }
}

/** Milliseconds before the server acts, and from then until its answer is there. */
function delays(fate: Fate, dice: Dice): [number, number] {
  if (fate === 'slow')
    return dice.chance(0.5) ? [dice.between(10_000, 55_000), 50] : [50, dice.between(10_000, 55_000)]
  if (fate === 'too_slow') return dice.chance(0.5) ? [dice.between(0, 59_000), 61_000] : [50, 61_000]
  if (fate === 'acts_late') return [dice.between(2, 3_000), 0]
  return [dice.between(1, 150), dice.between(1, 150)]
}

/** Lies and odd bodies are about tokens; what revokes or verifies is answered plainly or not at all. */
function fateOf(path: string, fate: Fate): Fate {
  return path !== '/token' && ['lie', 'act_garbage', 'act_half'].includes(fate) ? 'normal' : fate
}

function toResponse({ status, body, headers = {} }: Answer): HttpResponse {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  return { status, headers, body: new Secret(text) }
}
