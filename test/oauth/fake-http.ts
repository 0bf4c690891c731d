import type { Http, HttpRequest, HttpResponse } from '../../src/egress/http.ts'
import { Secret } from '../../src/secret.ts'

/** A request as it would go over the wire, in clear. */
export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a scripted provider answers, or the error that stands for no answer. */
export type WireAnswer = {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** An {@link Http} that asks a function instead of the network, and remembers what was sent. */
export function createFakeHttp(
  answer: (request: WireRequest) => WireAnswer | Error | Promise<WireAnswer | Error>,
): Http & {
  readonly sent: WireRequest[]
} {
  const sent: WireRequest[] = []
  return {
    sent,
    close: async () => {},
    async send(request) {
      const wire = toWire(request)
      sent.push(wire)
      const answered = await answer(wire)
      if (answered instanceof Error) throw answered
      return toResponse(answered)
    },
  }
}

function toWire({ method, url, headers, body }: HttpRequest): WireRequest {
  const clear = (value: string | Secret) => (value instanceof Secret ? value.expose() : value)
  return {
    method,
    url: url.expose(),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, clear(value)])),
    body: body?.expose() ?? '',
  }
}

function toResponse({ status, body, headers = {} }: WireAnswer): HttpResponse {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  return { status, headers, body: new Secret(text) }
}
