import type { Dispatcher } from 'undici'
import { Secret } from '../secret.ts'
import { HttpError, type HttpResponse, RESPONSE_BYTES_MAX } from './http.ts'

/** One answer in the making. */
export interface Collector {
  readonly handler: Dispatcher.DispatchHandler
  readonly done: Promise<HttpResponse>
  /** Ends the exchange with an error, unless it is done. */
  abort(why: string): void
}

/**
 * Collects one answer, and remembers whether the request had been handed to a connection when it failed:
 * before that, the provider cannot have acted.
 */
export function collect(host: string): Collector {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  let controller: Dispatcher.DispatchController | undefined
  let failure: HttpError | undefined
  let status = 0
  let headers: Record<string, string> = {}
  let bytes = 0
  const chunks: Buffer[] = []

  function fail(error: HttpError): void {
    failure = error
    reject(error)
    controller?.abort(error)
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      // Whoever was told that nothing was sent must not be made a liar by a connection that comes late.
      if (failure !== undefined) started.abort(failure)
    },
    onResponseStart(_controller, statusCode, incoming) {
      status = statusCode
      headers = firstValues(incoming)
    },
    onResponseData(_controller, chunk) {
      bytes += chunk.length
      if (bytes > RESPONSE_BYTES_MAX) {
        fail(new HttpError('too_large', `${host} answered more than ${RESPONSE_BYTES_MAX / 1024} KiB`))
      } else {
        chunks.push(chunk)
      }
    },
    onResponseEnd() {
      resolve({ status, headers, body: new Secret(Buffer.concat(chunks).toString('utf8')) })
    },
    onResponseError(_controller, error) {
      // What our own guard says is the best that can be said.
      if (error instanceof HttpError) return reject(error)
      const kind = controller === undefined ? 'not_sent' : 'no_answer'
      const what = kind === 'not_sent' ? `cannot reach ${host}` : `${host} did not answer completely`
      reject(new HttpError(kind, `${what} (${codeOf(error)})`, { cause: error }))
    },
  }

  return {
    handler,
    done: promise,
    abort: why => fail(new HttpError(controller ? 'no_answer' : 'not_sent', `${host}: ${why}`)),
  }
}

function firstValues(incoming: Record<string, string | string[] | undefined>): Record<string, string> {
  const first: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(incoming)) {
    const one = Array.isArray(value) ? value[0] : value
    if (one !== undefined) first[name] = one
  }
  return first
}

/** The error's code (`ECONNREFUSED`, `CERT_HAS_EXPIRED`), which unlike its message never quotes a request. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
